package clientcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// Every reason, over real connections with certificates of a real authority.
func TestReasons(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	issuing := e.authority("Issuing", &root)
	stranger := e.authority("Root", nil) // of the same name
	oldRoot := e.authority("Old root", nil, func(c *x509.Certificate) { c.NotAfter = e.clock.now().Add(-time.Hour) })
	oldIssuing := e.authority("Old issuing", &root, func(c *x509.Certificate) { c.NotAfter = e.clock.now().Add(-time.Hour) })
	revokedIssuing := e.authority("Revoked issuing", &root)
	serverOnly := e.authority("Server issuing", &root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	flat := e.authority("Flat", nil, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
	underFlat := e.authority("Under flat", &flat)
	narrow := e.authority("Narrow", nil, func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"corp.example"}, true
	})
	noAuthority := e.machine("No authority", &root)
	rsaRoot := e.issue("RSA root", rsaKey(t, 2048), nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		c.NotAfter = e.clock.now().AddDate(1, 0, 0)
	})
	smallKey := rsaKey(t, 1024)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	pool := root.pem() + oldRoot.pem() + flat.pem() + narrow.pem() + rsaRoot.pem()
	plainPool := fleet.CertificateSignIn{Enabled: true, CAs: pool}
	good, revoked := e.machine("pc1", &issuing), e.machine("pc2", &issuing)
	crl := func(lists ...[]byte) fleet.CertificateSignIn {
		s := plainPool
		s.CRL = crlPEM(lists...)
		return s
	}
	rootList, issuingList := e.list(root, []pair{revokedIssuing}), e.list(issuing, []pair{revoked})
	stale := func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = e.clock.now().Add(-48*time.Hour), e.clock.now().Add(-time.Hour)
	}
	forgedIssuing := e.authority("Issuing", &stranger)
	var many []pair
	for len(many) < maxShown {
		many = append(many, issuing)
	}
	eku := func(list ...x509.ExtKeyUsage) change { return func(c *x509.Certificate) { c.ExtKeyUsage = list } }
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
	}

	for name, c := range map[string]struct {
		settings fleet.CertificateSignIn
		shown    []pair
		want     string // beginning; empty: accepted
	}{
		"good":                           {plainPool, []pair{good, issuing}, ""},
		"good, from the root itself":     {plainPool, []pair{e.machine("pc", &root)}, ""},
		"good, with its root":            {plainPool, []pair{good, issuing, root}, ""},
		"good, with a stray certificate": {plainPool, []pair{good, stranger, good, issuing}, ""},
		"good, intermediate in the pool": {fleet.CertificateSignIn{CAs: root.pem() + issuing.pem()}, []pair{good}, ""},
		"good, only it in the pool":      {fleet.CertificateSignIn{CAs: issuing.pem()}, []pair{good}, ""},
		"good, RSA":                      {plainPool, []pair{e.issue("pc", rsaKey(t, 2048), &rsaRoot)}, ""},
		"good, with lists":               {crl(rootList, issuingList), []pair{good, issuing}, ""},
		"good, list of the issuer only":  {fleet.CertificateSignIn{CAs: issuing.pem(), CRL: crlPEM(issuingList)}, []pair{good}, ""},

		"none":                       {plainPool, nil, ReasonNone},
		"the agent's own":            {plainPool, []pair{e.machine("slipway agent", nil)}, ReasonNone},
		"no pool":                    {fleet.CertificateSignIn{}, []pair{good, issuing}, ReasonSettings},
		"self-signed":                {plainPool, []pair{e.machine("pc1", nil)}, ReasonUnknown},
		"unknown authority":          {plainPool, []pair{e.machine("pc1", &forgedIssuing), forgedIssuing, stranger}, ReasonUnknown},
		"authority of the same name": {plainPool, []pair{e.machine("pc1", &stranger)}, ReasonUnknown},
		"intermediate missing":       {plainPool, []pair{good}, ReasonUnknown},
		"signed by a machine":        {plainPool, []pair{e.machine("pc1", &noAuthority), noAuthority}, ReasonUnknown},
		"expired":                    {plainPool, []pair{e.machine("pc1", &root, func(c *x509.Certificate) { c.NotAfter = e.clock.now().Add(-time.Second) })}, ReasonExpired + ": valid from "},
		"not yet valid":              {plainPool, []pair{e.machine("pc1", &root, func(c *x509.Certificate) { c.NotBefore = e.clock.now().Add(time.Minute) })}, ReasonNotYet + ": valid from "},
		"expired and unknown":        {plainPool, []pair{e.machine("pc1", &stranger, func(c *x509.Certificate) { c.NotAfter = e.clock.now().Add(-time.Second) })}, ReasonUnknown},
		"root expired":               {plainPool, []pair{e.machine("pc1", &oldRoot)}, ReasonAuthority + ": CN=Old root, valid from "},
		"intermediate expired":       {plainPool, []pair{e.machine("pc1", &oldIssuing), oldIssuing}, ReasonAuthority + ": CN=Old issuing, valid from "},
		"for servers":                {plainPool, []pair{e.machine("pc1", &root, eku(x509.ExtKeyUsageServerAuth))}, ReasonPurpose},
		"for any purpose":            {plainPool, []pair{e.machine("pc1", &root, eku(x509.ExtKeyUsageAny))}, ReasonPurpose},
		"for no purpose":             {plainPool, []pair{e.machine("pc1", &root, eku())}, ReasonPurpose},
		"issuer for servers":         {plainPool, []pair{e.machine("pc1", &serverOnly), serverOnly}, ReasonPurpose},
		"an authority's own":         {plainPool, []pair{issuing}, ReasonIsAuthority},
		"the root itself":            {plainPool, []pair{root}, ReasonIsAuthority},
		"small RSA key":              {plainPool, []pair{e.issue("pc1", smallKey, &root)}, ReasonWeak + ": RSA key of 1024 bits"},
		"SHA-1":                      {plainPool, []pair{e.machine("pc1", &rsaRoot, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })}, ReasonWeak + ": it is signed with SHA1-RSA"},
		"path too long":              {plainPool, []pair{e.machine("pc1", &underFlat), underFlat}, ReasonNotAllowed},
		"outside the names":          {plainPool, []pair{e.machine("pc1", &narrow, func(c *x509.Certificate) { c.DNSNames = []string{"pc1.other.example"} })}, ReasonNotAllowed},
		"unknown critical extension": {plainPool, []pair{e.machine("pc1", &root, critical)}, ReasonNotUnderstood},
		"too many":                   {plainPool, append([]pair{good}, many...), ReasonTooMuch},
		"too large": {plainPool, []pair{e.machine("pc1", &root, func(c *x509.Certificate) { c.DNSNames = strings.Split(strings.Repeat("a.example,", 4000), ",")[:4000] })},
			ReasonTooMuch},

		"revoked":              {crl(rootList, issuingList), []pair{revoked, issuing}, ReasonRevoked},
		"intermediate revoked": {crl(rootList, e.list(revokedIssuing, nil)), []pair{e.machine("pc1", &revokedIssuing), revokedIssuing}, ReasonRevoked + ": its authority CN=Revoked issuing"},
		"intermediate of the pool revoked": {fleet.CertificateSignIn{CAs: root.pem() + revokedIssuing.pem(), CRL: crlPEM(rootList, e.list(revokedIssuing, nil))},
			[]pair{e.machine("pc1", &revokedIssuing)}, ReasonRevoked + ": its authority CN=Revoked issuing"},
		"revoked, on an old list":        {crl(rootList, e.list(issuing, []pair{revoked}, stale)), []pair{revoked, issuing}, ReasonRevoked},
		"revoked, on one of two lists":   {crl(rootList, issuingList, e.list(issuing, nil)), []pair{revoked, issuing}, ReasonRevoked},
		"list of the root missing":       {crl(issuingList), []pair{good, issuing}, ReasonListMissing + ": there is none of CN=Root"},
		"list of the issuer missing":     {crl(rootList), []pair{good, issuing}, ReasonListMissing + ": there is none of CN=Issuing"},
		"list expired":                   {crl(rootList, e.list(issuing, nil, stale)), []pair{good, issuing}, ReasonListExpired + ": that of CN=Issuing, the next one was due 2026-11-21T07:00:00Z"},
		"list from the future":           {crl(rootList, e.list(issuing, nil, func(l *x509.RevocationList) { l.ThisUpdate = e.clock.now().Add(time.Hour) })), []pair{good, issuing}, ReasonListNotYet + ": that of CN=Issuing begins at "},
		"list of another key":            {crl(rootList, e.list(forgedIssuing, nil)), []pair{good, issuing}, ReasonListSignature + ": CN=Issuing"},
		"revoked by another key":         {crl(rootList, issuingList, e.list(forgedIssuing, []pair{good})), []pair{good, issuing}, ""},
		"same serial of another's":       {crl(e.list(root, []pair{good}), issuingList), []pair{good, issuing}, ""},
		"unreadable list":                {fleet.CertificateSignIn{CAs: pool, CRL: "x"}, []pair{good, issuing}, ReasonSettings},
		"list of just now, clocks apart": {crl(rootList, e.list(issuing, nil, func(l *x509.RevocationList) { l.ThisUpdate = e.clock.now().Add(time.Minute) })), []pair{good, issuing}, ""},

		"a rule matches":       {fleet.CertificateSignIn{CAs: pool, Rules: []fleet.CertificateRule{{Field: "subject.ou", Pattern: "x"}, {Field: "subject.cn", Pattern: "PC*"}}}, []pair{good, issuing}, ""},
		"no rule matches":      {fleet.CertificateSignIn{CAs: pool, Rules: []fleet.CertificateRule{{Field: "subject.cn", Pattern: "server*"}}}, []pair{good, issuing}, ReasonNoRule},
		"a rule of no meaning": {fleet.CertificateSignIn{CAs: pool, Rules: []fleet.CertificateRule{{Field: "subject.x", Pattern: "*"}}}, []pair{good, issuing}, ReasonNoRule},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := e.connect(e.verifier(""), c.settings, c.shown...)
			got := reasonOf(t, err)
			if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("reason %q, want %q", got, c.want)
			}
			if len(c.shown) > 0 && (id.Serial != serialText(c.shown[0].cert.SerialNumber) || id.Name == "") {
				t.Errorf("identity %+v", id)
			}
		})
	}
	// Keys that TLS itself cannot use.
	if _, err := e.verifier("").Verify(background(), plainPool, []*x509.Certificate{e.issue("pc1", p224, &root).cert}); !strings.HasPrefix(reasonOf(t, err), ReasonWeak+": ECDSA key of 224 bits") {
		t.Errorf("P-224: %v", err)
	}
}

// Of two ways to the pool, one that is revoked does not close the other.
func TestCrossSigned(t *testing.T) {
	e := newEstate(t)
	oldRoot, newRoot := e.authority("Old", nil), e.authority("New", nil)
	issuing := e.authority("Issuing", &oldRoot)
	authority := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage = true, true, nil
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	cross := pair{e.issue("Issuing", issuing.key, &newRoot, authority).cert, issuing.key}
	pc := e.machine("pc1", &issuing)
	s := fleet.CertificateSignIn{CAs: oldRoot.pem() + newRoot.pem(), CRL: crlPEM(e.list(oldRoot, []pair{issuing}), e.list(newRoot, nil), e.list(issuing, nil))}
	for _, shown := range [][]pair{{pc, issuing, cross}, {pc, cross, issuing}} {
		if _, err := e.connect(e.verifier(""), s, shown...); err != nil {
			t.Errorf("both ways shown: %v", err)
		}
	}
	if _, err := e.connect(e.verifier(""), s, pc, issuing); !strings.HasPrefix(reasonOf(t, err), ReasonRevoked) {
		t.Errorf("the revoked way only: %v", err)
	}
	// A way by a key that can be forged is none, whatever another way is like.
	weak := e.issue("Weak", rsaKey(t, 1024), &newRoot, authority)
	forged := pair{e.issue("Issuing", issuing.key, &weak, authority).cert, issuing.key}
	s.CRL = crlPEM(e.list(oldRoot, []pair{issuing}), e.list(newRoot, nil), e.list(issuing, nil), e.list(weak, nil))
	for _, shown := range [][]pair{{pc, issuing, forged, weak}, {pc, forged, weak, issuing}} {
		if _, err := e.connect(e.verifier(""), s, shown...); !strings.HasPrefix(reasonOf(t, err), ReasonRevoked) {
			t.Errorf("a revoked way and a weak one: %v", err)
		}
	}
}

func TestIdentity(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	uri, err := url.Parse("urn:machine:7")
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]change{
		"pc1":                              func(c *x509.Certificate) { c.Subject.CommonName = "pc1" },
		"pc1.corp.example":                 func(c *x509.Certificate) { c.DNSNames = []string{"pc1.corp.example"} },
		"a@corp.example":                   func(c *x509.Certificate) { c.EmailAddresses = []string{"a@corp.example"} },
		"urn:machine:7":                    func(c *x509.Certificate) { c.URIs = []*url.URL{uri} },
		"O=Corp":                           func(c *x509.Certificate) { c.Subject.Organization = []string{"Corp"} },
		"pc1 admin":                        func(c *x509.Certificate) { c.Subject.CommonName = " pc1\n\u202e admin\x00" },
		"serial 1f":                        func(c *x509.Certificate) { c.SerialNumber.SetInt64(0x1f) },
		strings.Repeat("x", maxName) + "…": func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("x", 500) },
	} {
		pc := e.machine("", &root, c)
		id, err := e.verifier("").Verify(background(), fleet.CertificateSignIn{CAs: root.pem()}, []*x509.Certificate{pc.cert})
		if err != nil || id.Name != want || id.Issuer != "CN=Root" || len(id.Fingerprint) != 64 {
			t.Errorf("%+v, %v; want the name %q", id, err, want)
		}
	}
}

// Settings count from the next certificate on.
func TestSettingsChange(t *testing.T) {
	e := newEstate(t)
	first, second := e.authority("First", nil), e.authority("Second", nil)
	a, b := e.machine("a", &first), e.machine("b", &second)
	v := e.verifier("")
	for i, c := range []struct {
		s    fleet.CertificateSignIn
		a, b string
	}{
		{fleet.CertificateSignIn{CAs: first.pem()}, "", ReasonUnknown},
		{fleet.CertificateSignIn{CAs: second.pem()}, ReasonUnknown, ""},
		{fleet.CertificateSignIn{CAs: second.pem(), CRL: crlPEM(e.list(second, []pair{b}))}, ReasonUnknown, ReasonRevoked},
		{fleet.CertificateSignIn{CAs: "x"}, ReasonSettings, ReasonSettings},
		{fleet.CertificateSignIn{CAs: first.pem() + second.pem()}, "", ""},
	} {
		_, errA := v.Verify(background(), c.s, []*x509.Certificate{a.cert})
		_, errB := v.Verify(background(), c.s, []*x509.Certificate{b.cert})
		if gotA, gotB := reasonOf(t, errA), reasonOf(t, errB); gotA != c.a || gotB != c.b {
			t.Errorf("settings %d: %q and %q, want %q and %q", i, gotA, gotB, c.a, c.b)
		}
	}
}
