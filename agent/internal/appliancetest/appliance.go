// Package appliancetest is a stand-in for the appliance: a real HTTPS server
// with its own CA that speaks the wire types, keeps what devices report, and can
// be told to misbehave. It is for tests only.
package appliancetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Installation is the id of every stand-in.
const Installation = "testinstallation"

// Appliance is a running stand-in. Its exported fields may be changed under Do.
type Appliance struct {
	Address string
	CA      *x509.Certificate

	Passcode   string
	Mechanisms wire.Mechanisms
	Sequences  wire.TaskSequences
	Document   tasksequence.Document               // what every deployment runs
	Answer     func(r *http.Request) *wire.Problem // a refusal for a call, or nil
	RetryAfter string
	Orders     []string // carried by the next answer to events
	TokenLife  time.Duration
	Now        func() time.Time

	Certificate   string                      // subject of the client certificate that may sign in
	EntraLife     int                         // seconds a code is good for
	EntraAnswer   func(poll int) wire.Problem // how a sign-in stands at a poll, counted from 1 over all: status 200, 202 or a refusal
	EntraInterval int                         // seconds between polls that a pending sign-in asks for
	EntraURI      string                      // where the code is typed
	EntraStarted  int                         // codes given out
	EntraPolls    int

	WinPE      wire.WinPEImage // for the disk of an installed Windows
	Deployment wire.Deployment // the only one
	Events     []wire.Event
	Ended      []string // how deployments ended, "status: message"
	Logs       []wire.LogLine
	Facts      map[string]string
	Requests   []string // "METHOD path"
	Headers    http.Header
	Started    []wire.StartDeployment
	Bindings   []string // subjects of client certificates, by sign-in
	Certified  []string // "METHOD path" of calls that came with a client certificate
	Heartbeats int

	// Content answers the calls about content and uploads, outside of Do. It is set
	// before the first of them.
	Content http.Handler

	mu     sync.Mutex
	tokens map[string]*token // by the header that carries it
	codes  map[string]bool   // pending Entra sign-ins by session
	server *httptest.Server
}

// Start starts a stand-in on a loopback address or, with listener, there.
func Start(listener net.Listener) (*Appliance, error) {
	a := &Appliance{Passcode: "correct horse", Mechanisms: wire.Mechanisms{Mechanisms: []string{"passcode"}},
		TokenLife: time.Hour, Now: time.Now, tokens: map[string]*token{}, codes: map[string]bool{},
		EntraLife: 900, EntraInterval: 1, EntraURI: "https://sign-in.example/device"}
	ca, caKey, err := newCertificate("test CA", nil, nil, time.Now)
	if err != nil {
		return nil, err
	}
	a.CA = ca
	leaf, leafKey, err := newCertificate(wire.ServerName(Installation), ca, caKey, time.Now)
	if err != nil {
		return nil, err
	}
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	if listener != nil {
		a.server.Listener.Close()
		a.server.Listener = listener
	}
	a.server.EnableHTTP2 = true
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}}}
	a.server.StartTLS()
	a.Address = a.server.Listener.Addr().String()
	return a, nil
}

// Close stops it.
func (a *Appliance) Close() { a.server.CloseClientConnections(); a.server.Close() }

// Do runs fn while no call is served.
func (a *Appliance) Do(fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn()
}

// Pool is the CA set that an image would pin.
func (a *Appliance) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.CA)
	return pool
}

// CAPEM is the CA set in the form of ca.pem.
func (a *Appliance) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.CA.Raw})
}

// Revoke makes every token unknown.
func (a *Appliance) Revoke() { a.Do(func() { clear(a.tokens) }) }

func newCertificate(name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, now func() time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now().Add(-time.Hour), NotAfter: now().Add(24 * time.Hour)}
	if parent == nil {
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, parentKey = t, key
	} else {
		t.DNSNames, t.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func (a *Appliance) serve(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.Path; a.Content != nil && (strings.HasPrefix(p, "/api/v1/content/") || strings.HasSuffix(p, "/content") || strings.Contains(p, "/uploads")) {
		a.Content.ServeHTTP(w, r)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Requests = append(a.Requests, r.Method+" "+r.URL.Path)
	a.Headers = r.Header.Clone()
	if len(r.TLS.PeerCertificates) > 0 {
		a.Certified = append(a.Certified, r.Method+" "+r.URL.Path)
	}
	w.Header().Set("Date", a.Now().UTC().Format(http.TimeFormat))
	if a.Answer != nil {
		if p := a.Answer(r); p != nil {
			a.refuse(w, *p)
			return
		}
	}
	if r.URL.Path == "/healthz" {
		fmt.Fprintln(w, "ok")
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/auth/mechanisms", func(w http.ResponseWriter, _ *http.Request) { reply(w, a.Mechanisms) })
	a.signInRoutes(mux)
	a.guarded(mux, "GET /api/v1/task-sequences", func(w http.ResponseWriter, _ *http.Request) { reply(w, a.Sequences) })
	a.guarded(mux, "PUT /api/v1/device/facts", func(w http.ResponseWriter, r *http.Request) {
		var f wire.Facts
		_ = json.NewDecoder(r.Body).Decode(&f)
		a.Facts = f.Facts
		w.WriteHeader(http.StatusNoContent)
	})
	a.guarded(mux, "POST /api/v1/deployments", a.startDeployment)
	a.guarded(mux, "POST /api/v1/deployments/{id}/resume", a.resume)
	a.guarded(mux, "GET /api/v1/deployments/{id}", func(w http.ResponseWriter, _ *http.Request) { reply(w, a.Deployment) })
	a.guarded(mux, "POST /api/v1/deployments/{id}/events", a.events)
	a.guarded(mux, "POST /api/v1/deployments/{id}/logs", a.logs)
	a.guarded(mux, "POST /api/v1/deployments/{id}/winpe", a.winPE)
	mux.ServeHTTP(w, r)
}

// guarded serves a call that needs a token, from whom it was given to.
func (a *Appliance) guarded(mux *http.ServeMux, pattern string, h http.HandlerFunc) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		t := a.tokens[r.Header.Get("Authorization")]
		if t == nil || t.binding != binding(r) || t.ended && !last(r) {
			a.refuse(w, wire.Problem{Title: "Unauthorized", Status: http.StatusUnauthorized})
			return
		}
		h(w, r)
	})
}

func (a *Appliance) refuse(w http.ResponseWriter, p wire.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	if a.RetryAfter != "" {
		w.Header().Set("Retry-After", a.RetryAfter)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
