package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func TestFirstStart(t *testing.T) {
	s := newStore(t)
	a := ensure(t, s, at("2026-11-21"))
	if !regexp.MustCompile(`^[a-z2-7]{16}$`).MatchString(a.InstallationID()) {
		t.Errorf("installation id %q", a.InstallationID())
	}
	if a.ServerName() != a.InstallationID()+".slipway.internal" {
		t.Errorf("server name %q", a.ServerName())
	}
	ca, err := x509.ParseCertificate(a.CASet()[0])
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := ca.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("CA key is a %T", ca.PublicKey)
	}
	if want := at("2046-11-21").t; !ca.NotAfter.Equal(want) {
		t.Errorf("CA ends %v, want %v", ca.NotAfter, want)
	}
	if !ca.IsCA || !ca.MaxPathLenZero || ca.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
		t.Errorf("CA may do other things than sign server certificates: %+v", ca.KeyUsage)
	}
	sum := sha256.Sum256(ca.Raw)
	if got := a.CAFingerprints(); len(got) != 1 || got[0] != hex.EncodeToString(sum[:]) {
		t.Errorf("fingerprints %v", got)
	}
	again := ensure(t, s, at("2027-01-01"))
	if again.InstallationID() != a.InstallationID() || again.CAFingerprints()[0] != a.CAFingerprints()[0] {
		t.Error("the second start made a new installation")
	}
}

func TestCAKeyIsSealed(t *testing.T) {
	s := newStore(t)
	ensure(t, s, at("2026-11-21"))
	if _, err := Ensure(t.Context(), s, xorSealer{0x11}, time.Now); err == nil {
		t.Error("another keyring opened the CA's key")
	}
	// A certificate exchanged in the state must not be served with our key.
	foreign, err := newInstallation(xorSealer{0x5a}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx *state.Tx) error {
		i, err := tx.Installation().Get("self")
		if err != nil {
			return err
		}
		i.Authorities[0].Certificate = foreign.Authorities[0].Certificate
		return tx.Installation().Put(i)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), s, xorSealer{0x5a}, time.Now); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("err = %v", err)
	}
}

func TestSetupCodeAndMoreSurviveEnsure(t *testing.T) {
	s := newStore(t)
	ensure(t, s, at("2026-11-21"))
	var before, after fleet.Installation
	set := func(tx *state.Tx) (err error) {
		before, err = tx.Installation().Get("self")
		before.SetupCode = "abc"
		if err != nil {
			return err
		}
		return tx.Installation().Put(before)
	}
	if err := s.Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	ensure(t, s, at("2026-11-22"))
	after, err := load(s)
	if err != nil || after.SetupCode != "abc" || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("after = %+v, err %v", after, err)
	}
}

func TestLeafIsVerifiedUnderItsNames(t *testing.T) {
	c := at("2026-11-21")
	a := ensure(t, newStore(t), c)
	config := a.TLSConfig("Console.Example.org.", "192.0.2.5", "[2001:db8::5]", "not a name", "")
	for _, name := range []string{a.ServerName(), "localhost", "console.example.org", "192.0.2.5", "2001:db8::5", "127.0.0.1"} {
		s := handshake(t, config, &tls.Config{RootCAs: a.Pool(), ServerName: name, Time: c.now})
		if s.err != nil {
			t.Errorf("%s: %v", name, s.err)
		}
	}
	for _, name := range []string{"other.example.org", "192.0.2.6", "x" + a.ServerName()} {
		if s := handshake(t, config, &tls.Config{RootCAs: a.Pool(), ServerName: name, Time: c.now}); s.err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	stranger := ensure(t, newStore(t), c)
	if s := handshake(t, config, &tls.Config{RootCAs: stranger.Pool(), ServerName: a.ServerName(), Time: c.now}); s.err == nil {
		t.Error("another installation's CA accepted it")
	}
}

// A browser that goes to an address, without any name, finds it in the certificate.
func TestLocalAddressIsNamed(t *testing.T) {
	c := at("2026-11-21")
	a := ensure(t, newStore(t), c)
	config := a.TLSConfig()
	a.names.addresses = nil // as if loopback were an address learnt later
	leafOf(t, a)            // a certificate without it is in use already
	s := handshake(t, config, &tls.Config{RootCAs: a.Pool(), ServerName: "127.0.0.1", Time: c.now})
	if s.err != nil {
		t.Error(s.err)
	}
}

func TestClientCertificateIsAskedUnderTheFixedNameOnly(t *testing.T) {
	a := ensure(t, newStore(t), at("2026-11-21"))
	config := a.TLSConfig()
	own := selfSigned(t)
	sum := sha256.Sum256(own.Certificate[0])
	for name, want := range map[string]string{
		a.ServerName():                  hex.EncodeToString(sum[:]),
		strings.ToUpper(a.ServerName()): hex.EncodeToString(sum[:]),
		"localhost":                     "",
		"127.0.0.1":                     "", // sends no name at all
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			s := handshake(t, config, &tls.Config{
				InsecureSkipVerify: true, ServerName: name, Certificates: []tls.Certificate{own}, MaxVersion: version,
			})
			if s.err != nil {
				t.Fatal(name, s.err)
			}
			if s.requested != (want != "") {
				t.Errorf("%s: asked for a certificate: %v", name, s.requested)
			}
			if got := Binding(s.server); got != want {
				t.Errorf("%s: binding %q, want %q", name, got, want)
			}
		}
	}
	s := handshake(t, config, &tls.Config{InsecureSkipVerify: true, ServerName: a.ServerName()})
	if s.err != nil || Binding(s.server) != "" {
		t.Errorf("without a certificate: binding %q, err %v", Binding(s.server), s.err)
	}
}

// Someone else's certificate without its key is worth nothing.
func TestStolenCertificateWithoutKey(t *testing.T) {
	a := ensure(t, newStore(t), at("2026-11-21"))
	stolen := tls.Certificate{Certificate: selfSigned(t).Certificate, PrivateKey: selfSigned(t).PrivateKey}
	s := handshake(t, a.TLSConfig(), &tls.Config{
		InsecureSkipVerify: true, ServerName: a.ServerName(), Certificates: []tls.Certificate{stolen},
	})
	if Binding(s.server) != "" {
		t.Error("the handshake ended well")
	}
}

func TestProtocolVersions(t *testing.T) {
	a := ensure(t, newStore(t), at("2026-11-21"))
	config := a.TLSConfig()
	s := handshake(t, config, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"h2"}})
	if s.client.Version != tls.VersionTLS13 || s.client.NegotiatedProtocol != "h2" {
		t.Errorf("version %x, protocol %q", s.client.Version, s.client.NegotiatedProtocol)
	}
	old := &tls.Config{InsecureSkipVerify: true, ServerName: a.ServerName(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if s := handshake(t, config, old); s.err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestHTTP2(t *testing.T) {
	a := ensure(t, newStore(t), &clock{t: time.Now()})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(Binding(*r.TLS)))
	}))
	server.TLS = a.TLSConfig()
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: a.Pool(), ServerName: a.ServerName(), Certificates: []tls.Certificate{selfSigned(t)}},
	}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.ContentLength != 64 {
		t.Errorf("%s, %d bytes of binding", res.Proto, res.ContentLength)
	}
}
