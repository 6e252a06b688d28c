package clientcert

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

func TestParseRule(t *testing.T) {
	for text, want := range map[string]fleet.CertificateRule{
		"san.dns=*.corp.example":          {Field: "san.dns", Pattern: "*.corp.example"},
		" Subject.CN = PC-* ":             {Field: "subject.cn", Pattern: "PC-*"},
		"subject.o=Corp = Sons":           {Field: "subject.o", Pattern: "Corp = Sons"},
		"subject.ou=*":                    {Field: "subject.ou", Pattern: "*"},
		"san.email=*@corp.example":        {Field: "san.email", Pattern: "*@corp.example"},
		"san.uri=spiffe://corp.example/*": {Field: "san.uri", Pattern: "spiffe://corp.example/*"},
	} {
		if got, err := ParseRule(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                                    "is no rule: write FIELD=PATTERN",
		"san.dns":                             "is no rule: write FIELD=PATTERN",
		"san.ip=192.0.2.1":                    "use one of subject.cn, subject.o, subject.ou, san.dns, san.email, san.uri",
		"=x":                                  "is no field",
		"san.dns= ":                           "san.dns needs a pattern",
		"san.dns=a\xff":                       "cannot be shown",
		"san.dns=a\nb":                        "cannot be shown",
		"san.dns=" + strings.Repeat("x", 256): "at most 255",
		strings.Repeat("x", 1000):             "at most 255",
	} {
		if r, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", text, r, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"pc1", "PC1", true},
		{"pc1", "pc10", false},
		{"*", "", true},
		{"*.corp.example", "PC1.corp.EXAMPLE", true},
		{"*.corp.example", "corp.example", false},
		{"*.corp.example", "pc1.corp.example.net", false},
		{"*.corp.example", "pc1xcorp.example", false},
		{"pc-*-lab", "pc-7-lab", true},
		{"pc-*-lab", "pc-lab", false},
		{"a*a", "a", false},
		{"ab*ba", "aba", false},
		{"*a*b*", "xxaxxbxx", true},
		{"*a*b*", "xxbxxaxx", false},
		{"**", "x", true},
		{"Jürgen*", "JÜRGEN Müller", true},
		{"", "", true},
		{"", "x", false},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("%q with %q: %v", c.pattern, c.name, got)
		}
	}
}

// Each field reads its own names and no other.
func TestRuleFields(t *testing.T) {
	e := newEstate(t)
	uri, err := url.Parse("urn:f")
	if err != nil {
		t.Fatal(err)
	}
	c := e.machine("a", nil, func(c *x509.Certificate) {
		c.Subject.Organization, c.Subject.OrganizationalUnit = []string{"b", "b2"}, []string{"c"}
		c.DNSNames, c.EmailAddresses, c.URIs = []string{"d", "d2"}, []string{"e@e"}, []*url.URL{uri}
	}).cert
	for field, want := range map[string]string{"subject.cn": "a", "subject.o": "b2", "subject.ou": "c", "san.dns": "d2", "san.email": "e@e", "san.uri": "urn:f"} {
		for _, value := range []string{"a", "b2", "c", "d2", "e@e", "urn:f"} {
			if got := anyRule([]fleet.CertificateRule{{Field: field, Pattern: value}}, c); got != (value == want) {
				t.Errorf("%s=%s: %v", field, value, got)
			}
		}
	}
}

func TestValidatePool(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	issuing := e.authority("Issuing", &root)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}))
	noSign := e.authority("Quiet", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	weak := e.issue("Weak", rsaKey(t, 1024), nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	var many strings.Builder
	for range maxPool + 1 {
		many.WriteString(e.issue("Many", root.key, nil, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		}).pem())
	}
	for name, c := range map[string]struct{ text, want string }{
		"one":          {root.pem(), ""},
		"with words":   {"# Root\n" + root.pem() + "\nIssuing:\n" + issuing.pem() + "\n\n", ""},
		"twice":        {root.pem() + root.pem(), ""},
		"empty":        {" \n", "no authority is configured"},
		"no PEM":       {"hello", "use PEM certificates only"},
		"words behind": {root.pem() + "hello", "use PEM certificates only"},
		"a key":        {root.pem() + key, "there is a private key among the certificates"},
		"a list":       {crlPEM(e.list(root, nil)), "there is a x509 crl among the certificates"},
		"damaged":      {strings.Replace(root.pem(), "MII", "AAA", 1), "cannot be read"},
		"no authority": {root.pem() + e.machine("pc1", &root).pem(), "certificate 2 (CN=pc1) is no authority"},
		"may not sign": {noSign.pem(), "may not sign certificates"},
		"weak":         {weak.pem(), "is too weak: RSA key of 1024 bits"},
		"too many":     {many.String(), "at most 64 authorities"},
		"too large":    {strings.Repeat("#", maxPoolText+1), "larger than 256 KiB"},
	} {
		err := ValidatePool(c.text)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestValidateCRL(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	rsaRoot := e.issue("Root", rsaKey(t, 2048), nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	})
	der := e.list(root, nil)
	extension := func(critical bool, id ...int) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier(id), Critical: critical, Value: []byte{2, 1, 1}}}
		}
	}
	entry := func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: time.Now(),
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{5, 0}}}}}
	}
	for name, c := range map[string]struct{ text, want string }{
		"PEM":                {crlPEM(der), ""},
		"two":                {crlPEM(der, der), ""},
		"DER":                {string(der), ""},
		"base64":             {base64.StdEncoding.EncodeToString(der), ""},
		"base64 in lines":    {strings.ReplaceAll(base64.StdEncoding.EncodeToString(der), "M", "\nM") + "\n", ""},
		"harmless extension": {crlPEM(e.list(root, nil, extension(false, 1, 3, 6, 1, 4, 1, 311, 21, 4))), ""},
		"delta":              {crlPEM(e.list(root, nil, extension(true, 2, 5, 29, 27))), "the revocation list of CN=Root cannot be used: it is a delta list"},
		"part":               {crlPEM(e.list(root, nil, extension(true, 2, 5, 29, 28))), "for a part of the certificates only"},
		"not understood":     {crlPEM(e.list(root, nil, extension(true, 1, 2, 3))), "a critical extension that is not understood: 1.2.3"},
		"SHA-1":              {crlPEM(e.list(rsaRoot, nil, func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.SHA1WithRSA })), "it is signed with SHA1-RSA"},
		"indirect entry":     {crlPEM(e.list(root, nil, entry)), "a critical extension that is not understood: 2.5.29.29"},
		"empty":              {"", "use revocation lists in PEM"},
		"words":              {"hello, world!", "use revocation lists in PEM"},
		"a certificate":      {root.pem(), "there is a certificate among the revocation lists"},
		"damaged":            {crlPEM([]byte{0x30, 1, 1}), "cannot be read"},
		"damaged DER":        {"\x30\x01\x01", "cannot be read"},
		"cut PEM":            {strings.TrimSuffix(crlPEM(der), "-----END X509 CRL-----\n"), "in PEM only"},
		"too large":          {strings.Repeat(" ", maxCRLText+1), "larger than 512 KiB"},
		"too many":           {strings.Repeat(crlPEM(der), maxLists+1), "at most 64"},
	} {
		err := ValidateCRL(c.text)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	without := e.list(root, nil)
	l, err := x509.ParseRevocationList(without)
	if err != nil {
		t.Fatal(err)
	}
	l.NextUpdate = time.Time{}
	if why := unfit(l); !strings.Contains(why, "nextUpdate") {
		t.Errorf("without nextUpdate: %q", why)
	}
}

func TestValidateCRLURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://pki.corp.example/ca.crl":           "",
		"https://pki.corp.example:8443/ca.crl?x=1": "",
		"ldap://pki.corp.example/cn=ca":            "must begin with http",
		"pki.corp.example/ca.crl":                  "must begin with http",
		"http:///ca.crl":                           "names no server",
		"http://a:b@pki.corp.example/ca.crl":       "must hold no password",
		"http://[":                                 "is no URL",
		"http://x/" + strings.Repeat("x", 3000):    "is no URL",
	} {
		if err := ValidateCRLURL(text); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
