package clientcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParseRule(f *testing.F) {
	f.Add("san.dns=*.corp.example", "pc1.corp.example")
	f.Add("subject.cn=*a*b*", "xaxbx")
	f.Add("=", "")
	f.Fuzz(func(t *testing.T, text, name string) {
		r, err := ParseRule(text)
		if err != nil || !utf8.ValidString(name) {
			return
		}
		if again, err := ParseRule(r.Field + "=" + r.Pattern); err != nil || again != r {
			t.Errorf("%+v is read back as %+v, %v", r, again, err)
		}
		if whole := strings.ReplaceAll(r.Pattern, "*", name); !matches(r.Pattern, whole) {
			t.Errorf("%q does not match %q", r.Pattern, whole)
		}
	})
}

func FuzzLists(f *testing.F) {
	e := &estate{clock: newClock()}
	root := fuzzAuthority(f, e)
	der := fuzzList(f, root)
	f.Add(der)
	f.Add([]byte(crlPEM(der)))
	f.Add([]byte(base64.StdEncoding.EncodeToString(der)))
	f.Add([]byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lists, err := parseLists(data)
		if (err == nil) != (len(lists) > 0) || len(lists) > maxLists {
			t.Fatalf("%d lists, %v", len(lists), err)
		}
		for _, l := range lists {
			// Nothing but the authority's own list counts.
			if l.signedBy(root.cert) && !strings.Contains(string(der), string(l.crl.RawTBSRevocationList)) {
				t.Errorf("a forged list is accepted")
			}
			l.holds(root.cert)
			l.current(e.clock.now())
		}
	})
}

func FuzzPool(f *testing.F) {
	e := &estate{clock: newClock()}
	root := fuzzAuthority(f, e)
	f.Add(root.pem())
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parsePool(text); err == nil && (len(p.all) == 0 || len(p.all) > maxPool) {
			t.Errorf("%d authorities", len(p.all))
		}
	})
}

func fuzzAuthority(f *testing.F, e *estate) pair {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: e.clock.now(), NotAfter: e.clock.now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		f.Fatal(err)
	}
	return pair{c, key}
}

func fuzzList(f *testing.F, root pair) []byte {
	f.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: root.cert.NotBefore, NextUpdate: root.cert.NotAfter,
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: root.cert.NotBefore}}}, root.cert, root.key)
	if err != nil {
		f.Fatal(err)
	}
	return der
}
