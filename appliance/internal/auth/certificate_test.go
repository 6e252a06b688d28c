package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/fleet"
)

// issuer is a certificate authority of a test.
type issuer struct {
	t    *testing.T
	now  func() time.Time
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newIssuer(t *testing.T, b *bench) *issuer {
	t.Helper()
	i := &issuer{t: t, now: b.clock.now, next: 0x1000}
	c := i.issue("Deploy CA", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
	})
	i.cert, i.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	return i
}

// issue makes a certificate for client authentication, good for a day.
func (i *issuer) issue(name string, changes ...func(*x509.Certificate)) *tls.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(i.next), Subject: pkix.Name{CommonName: name},
		NotBefore: i.now().Add(-time.Hour), NotAfter: i.now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range changes {
		c(template)
	}
	by, with := i.cert, i.key
	if by == nil {
		by, with = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, with)
	if err != nil {
		i.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (i *issuer) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw}))
}

func (i *issuer) crl(revoked ...*tls.Certificate) string {
	i.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: i.now(), NextUpdate: i.now().Add(24 * time.Hour)}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: i.now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, i.cert, i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func (b *bench) change(t *testing.T, changes map[string]string) {
	t.Helper()
	if err := b.ChangeSignIn(t.Context(), Actor{Name: "anna"}, changes, true); err != nil {
		t.Fatal(err)
	}
}

// connected makes a real TLS connection with c (nil: none) and gives the caller
// that the appliance makes of it, while it stands, to do.
func connected(t *testing.T, c *tls.Certificate, do func(context.Context, Caller)) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caller := Caller{Addr: netip.MustParseAddr("192.0.2.7"), Certificates: r.TLS.PeerCertificates}
		if len(caller.Certificates) > 0 {
			sum := sha256.Sum256(caller.Certificates[0].Raw)
			caller.Binding = hex.EncodeToString(sum[:])
		}
		do(r.Context(), caller)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	client := server.Client()
	if c != nil {
		client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate =
			func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
	}
	resp, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func (b *bench) tryCertificate(t *testing.T, c *tls.Certificate, environment string) (token string, err error) {
	t.Helper()
	connected(t, c, func(ctx context.Context, caller Caller) {
		token, _, err = b.SignInCertificate(ctx, environment, machine("a"), caller)
	})
	return token, err
}

// A right certificate signs in; its token is good for the holder of its key only.
func TestSignInWithCertificate(t *testing.T) {
	b := newBench(t)
	ca := newIssuer(t, b)
	b.change(t, map[string]string{"certificate": "on", "certificate.ca": ca.pem()})
	pc, other := ca.issue("pc1.corp.example"), ca.issue("pc2.corp.example")
	token, err := b.tryCertificate(t, pc, wire.FullOS)
	if err != nil {
		t.Fatal(err)
	}
	e := b.trail.wants(t, fmt.Sprintf("certificate.accepted:ok:serial %x, issuer CN=Deploy CA", pc.Leaf.SerialNumber))
	if e.Actor != "pc1.corp.example" || e.Device != "device-a" || e.Address != "192.0.2.7" || e.Object != wire.FullOS {
		t.Errorf("%+v", e)
	}
	connected(t, pc, func(ctx context.Context, caller Caller) {
		got, err := b.Authenticate(ctx, token, caller)
		if err != nil || got.Mechanism != fleet.MechanismCertificate || got.Actor != "pc1.corp.example" || got.KeyBinding != caller.Binding || caller.Binding == "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	for _, c := range []*tls.Certificate{other, nil} {
		connected(t, c, func(ctx context.Context, caller Caller) {
			if _, err := b.Authenticate(ctx, token, caller); !errors.Is(err, ErrBinding) {
				t.Errorf("another caller with the token: %v", err)
			}
		})
	}
	b.trail.neverHolds(t, token)
}

// The client hears one answer, the audit log the reason.
func TestCertificateRefused(t *testing.T) {
	b := newBench(t)
	ca := newIssuer(t, b)
	good, revoked := ca.issue("pc1"), ca.issue("pc2")
	expired := ca.issue("pc3", func(c *x509.Certificate) { c.NotAfter = b.clock.now().Add(-time.Second) })
	future := ca.issue("pc4", func(c *x509.Certificate) { c.NotBefore = b.clock.now().Add(time.Minute) })
	server := ca.issue("pc5", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	stranger := newIssuer(t, b).issue("pc6\u202e")
	own := (&issuer{t: t, now: b.clock.now}).issue("slipway agent")
	b.change(t, map[string]string{"certificate": "on", "certificate.ca": ca.pem(), "certificate.crl": ca.crl(revoked), "certificate.rules": "subject.cn=pc*"})
	seen := map[string]bool{}
	for _, c := range []struct {
		cert   *tls.Certificate
		reason string // beginning
		object string
	}{
		{nil, "no certificate was shown, only the agent's own key", ""},
		{own, "no certificate was shown, only the agent's own key", "slipway agent, serial 1, issuer CN=slipway agent"},
		{stranger, "signed by an unknown authority", "pc6, serial 1002, issuer CN=Deploy CA"},
		{revoked, "revoked", "pc2, serial 1003, issuer CN=Deploy CA"},
		{expired, "expired: valid from ", "pc3, serial 1004, issuer CN=Deploy CA"},
		{future, "not yet valid: valid from ", "pc4, serial 1005, issuer CN=Deploy CA"},
		{server, "not for client authentication", "pc5, serial 1006, issuer CN=Deploy CA"},
		{ca.issue("web1"), "no rule matches", "web1, serial 1007, issuer CN=Deploy CA"},
	} {
		_, err := b.tryCertificate(t, c.cert, wire.FullOS)
		if err != ErrWrong { // this very one: nothing wrapped around it that an answer could show
			t.Errorf("%s: the caller hears %v", c.reason, err)
		}
		e := b.trail.entries[len(b.trail.entries)-1]
		if e.Action != "certificate.refused" || e.Outcome != "refused" || !strings.HasPrefix(e.Reason, c.reason) || e.Object != c.object || e.Address != "192.0.2.7" {
			t.Errorf("audited %+v, want %q of %q", e, c.reason, c.object)
		}
		seen[e.Reason] = true
	}
	if len(seen) != 7 {
		t.Errorf("%d different reasons: %v", len(seen), seen)
	}
	if _, err := b.tryCertificate(t, good, wire.FullOS); err != nil {
		t.Errorf("the good one: %v", err)
	}
	// The list runs out: nobody is let in any more.
	b.clock.add(24*time.Hour - time.Minute)
	last := ca.issue("pc9")
	if _, err := b.tryCertificate(t, last, wire.FullOS); err != nil {
		t.Error(err)
	}
	b.clock.add(time.Minute)
	_, err := b.tryCertificate(t, last, wire.FullOS)
	wants(t, err, ErrWrong)
	if e := b.trail.entries[len(b.trail.entries)-1]; !strings.HasPrefix(e.Reason, "revocation list is expired: that of CN=Deploy CA") {
		t.Errorf("%+v", e)
	}
}

// It exists in an installed OS only, and while it is switched on.
func TestCertificateNotAllowed(t *testing.T) {
	b := newBench(t)
	ca := newIssuer(t, b)
	pc := ca.issue("pc1")
	_, err := b.tryCertificate(t, pc, wire.FullOS)
	wants(t, err, ErrNotAllowed)
	b.change(t, map[string]string{"certificate": "on", "certificate.ca": ca.pem()})
	for _, environment := range []string{"", wire.LinuxPE, wire.WinPE} {
		_, err := b.tryCertificate(t, pc, environment)
		wants(t, err, ErrNotAllowed)
	}
	b.trail.wants(t, "certificate.refused:refused:not allowed in this environment: winpe")
	var invalid *InvalidError
	if _, err := b.tryCertificate(t, pc, "moon"); !errors.As(err, &invalid) {
		t.Error(err)
	}
	_, err = b.tryCertificate(t, pc, wire.FullOS)
	wants(t, err, nil)
	b.change(t, map[string]string{"certificate": "off"})
	_, err = b.tryCertificate(t, pc, wire.FullOS)
	wants(t, err, ErrNotAllowed)
}

// A stranger cannot make the appliance check signatures without end, and holds
// back nobody who has a right certificate elsewhere, nor the passcode here.
func TestCertificateLimit(t *testing.T) {
	b := newBench(t)
	ca := newIssuer(t, b)
	b.setPasscode(t, rightPasscode)
	b.change(t, map[string]string{"certificate": "on", "certificate.ca": ca.pem()})
	try := func(c *tls.Certificate, addr string) error {
		caller := from(addr)
		caller.Certificates = []*x509.Certificate{c.Leaf}
		_, _, err := b.SignInCertificate(t.Context(), wire.FullOS, machine("a"), caller)
		return err
	}
	pc, stranger := ca.issue("pc1"), newIssuer(t, b).issue("pc1")
	// Any number of right ones, as from behind one address of a site.
	for range 3 * looksAtOnce {
		wants(t, try(pc, "192.0.2.7"), nil)
	}
	for range looksAtOnce {
		wants(t, try(stranger, "192.0.2.7"), ErrWrong)
	}
	e := throttled(t, try(stranger, "192.0.2.7"))
	if e.RetryAfter != looksEvery || e.Scope != "address" || e.HoldCode != "" {
		t.Errorf("%+v", e)
	}
	b.trail.wants(t, "certificate.refused:refused:throttled: address")
	wants(t, try(pc, "192.0.2.8"), nil)
	caller := from("192.0.2.7")
	if _, _, err := b.SignInPasscode(t.Context(), rightPasscode, wire.FullOS, machine("a"), caller); err != nil {
		t.Errorf("the passcode: %v", err)
	}
	b.clock.add(looksEvery)
	wants(t, try(stranger, "192.0.2.7"), ErrWrong)
	throttled(t, try(pc, "192.0.2.7"))
	b.clock.add(looksEvery)
	wants(t, try(pc, "192.0.2.7"), nil)
}

// Many addresses do not take more memory than there is for them.
func TestLooksAreBounded(t *testing.T) {
	c := newClock()
	l := newLooks(c.now)
	for range looksAtOnce {
		if _, held := l.take("addr:heavy"); held != nil {
			t.Fatal(held)
		}
	}
	for i := range 3 * maxLookers {
		if _, held := l.take(fmt.Sprint("addr:", i)); held != nil {
			t.Fatal(held)
		}
	}
	if len(l.from) > maxLookers {
		t.Errorf("%d addresses are kept", len(l.from))
	}
	if _, held := l.take("addr:heavy"); held == nil {
		t.Error("the heaviest was forgotten before the light ones")
	}
}
