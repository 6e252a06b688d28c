package clientcert

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway/fleet"
)

// clock is moved by tests.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (p pair) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}))
}

// estate makes authorities, machines and revocation lists at the time of a clock.
type estate struct {
	t      *testing.T
	clock  *clock
	serial atomic.Int64
}

func newEstate(t *testing.T) *estate { return &estate{t: t, clock: newClock()} }

type change = func(*x509.Certificate)

func ecKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// authority makes an authority, signed by parent or by itself.
func (e *estate) authority(name string, parent *pair, changes ...change) pair {
	e.t.Helper()
	return e.issue(name, ecKey(e.t), parent, append([]change{func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage = true, true, nil
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		c.NotBefore, c.NotAfter = e.clock.now().AddDate(-1, 0, 0), e.clock.now().AddDate(10, 0, 0)
	}}, changes...)...)
}

// machine makes a client certificate that is good for a day.
func (e *estate) machine(name string, parent *pair, changes ...change) pair {
	e.t.Helper()
	return e.issue(name, ecKey(e.t), parent, changes...)
}

func (e *estate) issue(name string, key crypto.Signer, parent *pair, changes ...change) pair {
	e.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1000 + e.serial.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: e.clock.now().Add(-time.Hour), NotAfter: e.clock.now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range changes {
		c(template)
	}
	signer, by := key, template
	if parent != nil {
		signer, by = parent.key, parent.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), signer)
	if err != nil {
		e.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		e.t.Fatal(err)
	}
	return pair{c, key}
}

// list makes a revocation list in DER, from now for a day.
func (e *estate) list(issuer pair, revoked []pair, changes ...func(*x509.RevocationList)) []byte {
	e.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(e.serial.Add(1)), ThisUpdate: e.clock.now(), NextUpdate: e.clock.now().Add(24 * time.Hour)}
	for _, p := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: p.cert.SerialNumber, RevocationTime: e.clock.now()})
	}
	for _, c := range changes {
		c(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, issuer.cert, issuer.key)
	if err != nil {
		e.t.Fatal(err)
	}
	return der
}

func crlPEM(ders ...[]byte) string {
	var text strings.Builder
	for _, der := range ders {
		_ = pem.Encode(&text, &pem.Block{Type: "X509 CRL", Bytes: der}) // to memory
	}
	return text.String()
}

// verifier is one that keeps its files in a folder of the test's.
func (e *estate) verifier(dir string) *Verifier {
	return New(Options{Dir: dir, Now: e.clock.now, Logger: slog.New(slog.DiscardHandler)})
}

// connect makes a real TLS connection to a real server, which asks for a client
// certificate as the appliance does, and gives what Verify said of it. Nil shows
// no certificate.
func (e *estate) connect(v *Verifier, s fleet.CertificateSignIn, shown ...pair) (id Identity, err error) {
	e.t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err = v.Verify(r.Context(), s, r.TLS.PeerCertificates)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	client := server.Client()
	if len(shown) > 0 {
		c := &tls.Certificate{PrivateKey: shown[0].key}
		for _, p := range shown {
			c.Certificate = append(c.Certificate, p.cert.Raw)
		}
		client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate =
			func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
	}
	resp, err2 := client.Get(server.URL)
	if err2 != nil {
		e.t.Fatalf("the connection: %v", err2)
	}
	resp.Body.Close()
	return id, err
}

// reasonOf is the reason of a refusal, "" for an accepted certificate.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var r *RefusedError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &r):
		t.Fatalf("not a refusal: %v", err)
	}
	return r.Reason
}

// web serves a revocation list and counts who asks.
type web struct {
	*httptest.Server
	mu     sync.Mutex
	body   []byte
	status int
	etag   string
	asked  int
	given  int // whole answers
	wait   chan struct{}
}

func newWeb(t *testing.T, body []byte) *web {
	w := &web{body: body, status: http.StatusOK}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asked++
		body, status, etag, wait := w.body, w.status, w.etag, w.wait
		w.mu.Unlock()
		if wait != nil {
			<-wait
		}
		if etag != "" {
			rw.Header().Set("ETag", etag)
		}
		if etag != "" && r.Header.Get("If-None-Match") == etag {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		w.mu.Lock()
		w.given++
		w.mu.Unlock()
		rw.WriteHeader(status)
		_, _ = rw.Write(body)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *web) set(body []byte, status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body, w.status = body, status
}

func (w *web) counts() (asked, given int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked, w.given
}

func background() context.Context { return context.Background() }
