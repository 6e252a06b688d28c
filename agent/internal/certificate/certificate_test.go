package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

func certPEM(list ...pair) string {
	var text []byte
	for _, p := range list {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})...)
	}
	return string(text)
}

func keyPEM(t *testing.T, kind string, key crypto.Signer) string {
	t.Helper()
	var der []byte
	var err error
	switch k := key.(type) {
	case *rsa.PrivateKey:
		der = x509.MarshalPKCS1PrivateKey(k)
	case *ecdsa.PrivateKey:
		der, err = x509.MarshalECPrivateKey(k)
	}
	if kind == "PRIVATE KEY" {
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// file writes a file of a mode.
func file(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

// estate is an authority with an intermediate and a machine.
type estate struct{ root, issuing, machine pair }

func newEstate(t *testing.T, key crypto.Signer) estate {
	t.Helper()
	e := estate{root: issue(t, "CA root", newKey(t), nil)}
	e.issuing = issue(t, "CA issuing", newKey(t), &e.root)
	e.machine = issue(t, "machine", key, &e.issuing)
	return e
}

// Each form of key works, in a real TLS connection with both versions.
func TestPEM(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind string
		key  crypto.Signer
	}{
		{"RSA PRIVATE KEY", newRSAKey(t)}, {"EC PRIVATE KEY", newKey(t)},
		{"PRIVATE KEY", newRSAKey(t)}, {"PRIVATE KEY", newKey(t)}, {"PRIVATE KEY", edKey},
	} {
		e, other := newEstate(t, c.key), newEstate(t, newKey(t))
		// The order in the file does not matter, roots and strangers are left out.
		certs := file(t, "machine.pem", "a word before\n"+certPEM(e.root, other.issuing, other.root, e.issuing, e.machine), 0o644)
		got, err := Load(Options{CertFile: certs, KeyFile: file(t, "machine.key", keyPEM(t, c.kind, c.key), 0o600), Warn: func(s string) { t.Errorf("warned: %s", s) }})
		if err != nil {
			t.Errorf("%s (%T): %v", c.kind, c.key, err)
			continue
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if seen := shown(t, got, version); len(seen) != 2 || !seen[0].Equal(e.machine.cert) || !seen[1].Equal(e.issuing.cert) {
				t.Errorf("%s (%T): the server saw %d certificates, first %s", c.kind, c.key, len(seen), seen[0].Subject)
			}
		}
	}
}

func TestPEMInOneFile(t *testing.T) {
	e := newEstate(t, newKey(t))
	// openssl puts the curve's parameters before the key.
	params := string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}}))
	both := file(t, "machine.pem", params+keyPEM(t, "EC PRIVATE KEY", e.machine.key)+certPEM(e.machine, e.issuing), 0o600)
	if c, err := Load(Options{CertFile: both}); err != nil || len(c.Certificate) != 2 {
		t.Errorf("%d certificates, %v", len(c.Certificate), err)
	}
}

func TestPKCS12(t *testing.T) {
	for _, key := range []crypto.Signer{newRSAKey(t), newKey(t)} {
		for name, encoder := range map[string]*pkcs12.Encoder{"modern": pkcs12.Modern, "legacy": pkcs12.LegacyDES, "RC2": pkcs12.LegacyRC2} {
			e := newEstate(t, key)
			data, err := encoder.Encode(key, e.machine.cert, []*x509.Certificate{e.root.cert, e.issuing.cert}, "päss word")
			if err != nil {
				t.Fatal(err)
			}
			o := Options{PKCS12File: file(t, "machine.p12", string(data), 0o600), Password: "päss word"}
			c, err := Load(o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if seen := shown(t, c, tls.VersionTLS13); len(seen) != 2 || !seen[0].Equal(e.machine.cert) {
				t.Errorf("%s: the server saw %d certificates", name, len(seen))
			}
			o.Password, o.PasswordFile = "", file(t, "password", "päss word\r\nnot this\n", 0o600)
			if _, err := Load(o); err != nil {
				t.Errorf("%s with a password file: %v", name, err)
			}
		}
	}
}

// What is wrong is said so that one can do something about it, and nothing of a
// key or password is said.
func TestClearErrors(t *testing.T) {
	e, other := newEstate(t, newKey(t)), newEstate(t, newKey(t))
	key := keyPEM(t, "EC PRIVATE KEY", e.machine.key)
	certs := file(t, "machine.pem", certPEM(e.machine, e.issuing), 0o644)
	keyFile := file(t, "machine.key", key, 0o600)
	p12, err := pkcs12.Modern.Encode(e.machine.key, e.machine.cert, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	p12File := file(t, "machine.p12", string(p12), 0o600)
	whole, _ := pem.Decode([]byte(key))
	cut := string(pem.EncodeToMemory(&pem.Block{Type: whole.Type, Bytes: whole.Bytes[:40]}))
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"nothing":              {Options{}, "no certificate is named"},
		"a key alone":          {Options{KeyFile: keyFile}, "without its certificate"},
		"two ways":             {Options{CertFile: certs, KeyFile: keyFile, PKCS12File: p12File}, "more than one certificate"},
		"not there":            {Options{CertFile: "/nowhere/machine.pem"}, "/nowhere/machine.pem is not there"},
		"a folder":             {Options{CertFile: t.TempDir()}, "is not a file"},
		"no certificate in it": {Options{CertFile: keyFile, KeyFile: keyFile}, "there is no certificate in it"},
		"DER":                  {Options{CertFile: file(t, "machine.der", string(e.machine.cert.Raw), 0o644), KeyFile: keyFile}, "it is not PEM"},
		"damaged certificate":  {Options{CertFile: file(t, "c", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644), KeyFile: keyFile}, "certificate 1 cannot be read"},
		"no key":               {Options{CertFile: certs}, "there is no private key in it"},
		"another pair's key":   {Options{CertFile: certs, KeyFile: file(t, "k", keyPEM(t, "EC PRIVATE KEY", other.machine.key), 0o600)}, "belongs to none of the certificates"},
		"encrypted PKCS#8":     {Options{CertFile: certs, KeyFile: file(t, "k", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", 0o600)}, "the key is encrypted"},
		"encrypted PEM":        {Options{CertFile: certs, KeyFile: file(t, "k", strings.Replace(key, "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1), 0o600)}, "the key is encrypted"},
		"damaged key":          {Options{CertFile: certs, KeyFile: file(t, "k", cut, 0o600)}, "damaged or cut off"},
		"another form of key":  {Options{CertFile: certs, KeyFile: file(t, "k", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 0o600)}, `"OPENSSH PRIVATE KEY" is not understood`},
		"key others may write": {Options{CertFile: certs, KeyFile: file(t, "k", key, 0o620)}, "can be changed by others than its owner (mode 0620)"},
		"huge":                 {Options{CertFile: file(t, "c", strings.Repeat(" ", maxFile+1), 0o644), KeyFile: keyFile}, "larger than 1024 KiB"},
		"no PKCS#12":           {Options{PKCS12File: certs, Password: "secret"}, "cannot be read as PKCS#12"},
		"no password":          {Options{PKCS12File: p12File}, "protected by a password, and none is given"},
		"wrong password":       {Options{PKCS12File: p12File, Password: "hush"}, "the password is wrong"},
		"two passwords":        {Options{PKCS12File: p12File, Password: "secret", PasswordFile: keyFile}, "give one of them"},
		"empty password file":  {Options{PKCS12File: p12File, PasswordFile: file(t, "p", "\nsecret", 0o600)}, "the first line of"},
		"no password file":     {Options{PKCS12File: p12File, PasswordFile: "/nowhere/p"}, "/nowhere/p is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(c.want, "(mode ") {
				t.Skip("Windows has no mode bits")
			}
			_, err := Load(c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			line := strings.Split(key, "\n")[1]
			for _, secret := range []string{line, "hush", "secret"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds %q", secret)
				}
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	e := newEstate(t, newKey(t))
	expired := issue(t, "old", newKey(t), &e.issuing, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	future := issue(t, "new", newKey(t), &e.issuing, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	})
	server := issue(t, "web", newKey(t), &e.issuing, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	for name, c := range map[string]struct {
		p    pair
		mode os.FileMode
		want string
	}{
		"good":        {e.machine, 0o600, ""},
		"group reads": {e.machine, 0o640, "can be read by others than its owner (mode 0640)"},
		"all read":    {e.machine, 0o644, "can be read by others than its owner (mode 0644)"},
		"expired":     {expired, 0o600, "the certificate old has expired at "},
		"future":      {future, 0o600, "the certificate new is not valid before "},
		"purpose":     {server, 0o600, "the certificate web is not for client authentication"},
	} {
		if runtime.GOOS == "windows" && strings.Contains(c.want, "(mode ") {
			continue // no mode bits there
		}
		var got []string
		o := Options{CertFile: file(t, "c", certPEM(c.p), 0o644), KeyFile: file(t, "k", keyPEM(t, "EC PRIVATE KEY", c.p.key), c.mode),
			Warn: func(s string) { got = append(got, s) }}
		if _, err := Load(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text := strings.Join(got, "\n"); c.want == "" && text != "" || !strings.Contains(text, c.want) || len(got) > 1 {
			t.Errorf("%s: warned %q, want %q", name, got, c.want)
		}
	}
}

// Which certificate of a store is taken.
func TestChoose(t *testing.T) {
	root, other := issue(t, "CA Deploy", newKey(t), nil), issue(t, "CA other", newKey(t), nil)
	until := func(d time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = time.Now().Add(d) }
	}
	list := []*x509.Certificate{
		issue(t, "pc1", newKey(t), &root).cert,
		issue(t, "pc1", newKey(t), &root, until(9*time.Hour)).cert,
		issue(t, "pc1", newKey(t), &root, until(-time.Minute)).cert,
		issue(t, "pc1", newKey(t), &other, until(99*time.Hour)).cert,
		issue(t, "web", newKey(t), &root, func(c *x509.Certificate) { c.ExtKeyUsage = nil }).cert,
		issue(t, "dns", newKey(t), &root, until(5*time.Hour), func(c *x509.Certificate) { c.DNSNames = []string{"PC2.corp.example"} }).cert,
		issue(t, "new", newKey(t), &root, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		}).cert,
	}
	for _, c := range []struct {
		o    Options
		want []int
		err  string
	}{
		{Options{Store: true}, []int{3, 1, 5, 0}, ""},
		{Options{StoreIssuer: "ca deploy"}, []int{1, 5, 0}, ""},
		{Options{StoreIssuer: "CN=CA Deploy", StoreSubject: "PC1"}, []int{1, 0}, ""},
		{Options{StoreSubject: "pc2.corp"}, []int{5}, ""},
		{Options{StoreSubject: "pc9"}, nil, "7 for another subject than pc9"},
		{Options{StoreSubject: "web"}, nil, "1 not for client authentication, 6 for another subject"},
		{Options{StoreSubject: "new"}, nil, "1 not valid yet"},
		{Options{StoreIssuer: "nobody"}, nil, "7 from another issuer than nobody"},
	} {
		got, err := choose(list, c.o, time.Now())
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, %v; want %v %q", c.o, got, err, c.want, c.err)
		}
	}
	if _, err := choose(list[2:3], Options{}, time.Now()); err == nil || !strings.Contains(err.Error(), "1 expired") {
		t.Error(err)
	}
	if _, err := choose(nil, Options{}, time.Now()); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Error(err)
	}
}

// Keys of the store sign for the one scheme that the library writes right.
func TestECDSASchemes(t *testing.T) {
	for curve, want := range map[elliptic.Curve]int{elliptic.P256(): 1, elliptic.P384(): 1, elliptic.P521(): 0, elliptic.P224(): 0} {
		if got := ecdsaSchemes(&ecdsa.PublicKey{Curve: curve}); len(got) != want {
			t.Errorf("%s: %v", curve.Params().Name, got)
		}
	}
}

func FuzzPEM(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseCertificates(text)
		if (err == nil) != (len(list) > 0) || len(list) > maxCertificates {
			t.Errorf("%d certificates, %v", len(list), err)
		}
		key, err := parseKey(text)
		if (err == nil) != (key != nil) {
			t.Errorf("key %T, %v", key, err)
		}
		if err == nil {
			assemble(list, key)
		}
	})
}
