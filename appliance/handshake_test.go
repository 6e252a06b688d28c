package main

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
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/fleet"
)

// trail is an audit log in memory.
type trail struct {
	mu      sync.Mutex
	entries []fleet.AuditEntry
	wrote   chan struct{} // of one; something was written
}

func (a *trail) Write(_ context.Context, e fleet.AuditEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
	select {
	case a.wrote <- struct{}{}:
	default:
	}
	return nil
}

// selfSigned is a certificate of a key.
func selfSigned(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "somebody else"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Real handshakes with a certificate and another key than its own. The words of
// net/http and crypto/tls are those that the audit log depends on.
func TestKeyMismatchIsAudited(t *testing.T) {
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	own := key()
	server := key()
	for name, c := range map[string]struct {
		owner, used crypto.Signer
		version     uint16
		mismatch    bool
	}{
		"TLS 1.3":                {key(), key(), tls.VersionTLS13, true},
		"TLS 1.2":                {key(), key(), tls.VersionTLS12, true},
		"another kind, TLS 1.3":  {rsaKey, key(), tls.VersionTLS13, true},
		"another kind, TLS 1.2":  {rsaKey, key(), tls.VersionTLS12, true},
		"the right key, TLS 1.3": {own, own, tls.VersionTLS13, false},
	} {
		t.Run(name, func(t *testing.T) {
			audit := &trail{wrote: make(chan struct{}, 1)}
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{{Certificate: [][]byte{selfSigned(t, server)}, PrivateKey: server}},
				ClientAuth:   tls.RequestClientCert,
			})
			if err != nil {
				t.Fatal(err)
			}
			s := newDeviceServer(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}), slog.New(slog.DiscardHandler), audit)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }() // ends with stop
			defer func() { stop(); <-done }()

			forger := &tls.Certificate{Certificate: [][]byte{selfSigned(t, c.owner)}, PrivateKey: c.used}
			transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
				InsecureSkipVerify: true, MaxVersion: c.version, MinVersion: c.version,
				// Unasked: a client would not offer a pair that does not fit.
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return forger, nil },
			}}
			resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + l.Addr().String())
			if err == nil {
				resp.Body.Close()
			}
			if (err != nil) != c.mismatch {
				t.Fatalf("the request: %v", err)
			}
			if !c.mismatch {
				stop()
				<-done
				done <- nil
				if len(audit.entries) > 0 {
					t.Errorf("audited: %+v", audit.entries)
				}
				return
			}
			select {
			case <-audit.wrote:
			case <-time.After(patience):
				t.Fatal("nothing came to the audit log: has Go changed its words? See handshake.go")
			}
			want := fleet.AuditEntry{Actor: "device", Action: "certificate.refused", Address: "127.0.0.1", Outcome: "refused",
				Reason: "key mismatch: the caller does not hold the certificate's key"}
			if len(audit.entries) != 1 || audit.entries[0] != want {
				t.Errorf("audited %+v", audit.entries)
			}
		})
	}
}

func TestOtherMessagesPass(t *testing.T) {
	for message, want := range map[string]string{
		"http: TLS handshake error from 192.0.2.7:4711: tls: invalid signature by the client certificate: x": "192.0.2.7",
		"http: TLS handshake error from [2001:db8::1]:4711: " + wrongKind:                                    "2001:db8::1",
		"http: TLS handshake error from [fe80::1%eth0]:4711: " + wrongSignature:                              "fe80::1",
		"http: TLS handshake error from [::ffff:192.0.2.7]:4711: " + wrongSignature:                          "192.0.2.7",
		"http: TLS handshake error from 192.0.2.7:4711: EOF":                                                 "",
		"http: panic serving 192.0.2.7:4711: tls: invalid signature by the client certificate":               "",
		"http: TLS handshake error from 192.0.2.7:4711: x: tls: invalid signature by the client certificate": "",
		"": "",
	} {
		var rest strings.Builder
		audit := &trail{wrote: make(chan struct{}, 1)}
		h := &handshakes{audit: audit, rest: log.New(&rest, "", 0)}
		if _, err := io.WriteString(h, message+"\n"); err != nil {
			t.Error(err)
		}
		got := ""
		if len(audit.entries) > 0 {
			got = audit.entries[0].Address
		}
		if got != want || strings.TrimSpace(rest.String()) != message {
			t.Errorf("%q: address %q, passed on %q", message, got, rest.String())
		}
	}
}

func FuzzHandshakeLog(f *testing.F) {
	f.Add("http: TLS handshake error from 192.0.2.7:4711: tls: invalid signature by the client certificate: x")
	f.Add("http: TLS handshake error from [::1]:1: ")
	f.Fuzz(func(t *testing.T, message string) {
		address, ok := keyMismatch(message)
		if _, err := netip.ParseAddr(address); address != "" && (!ok || err != nil) || ok && !strings.HasPrefix(message, handshakeFailed) {
			t.Errorf("%q, %v", address, ok)
		}
	})
}

// The same through the whole appliance, up to its audit log.
func TestKeyMismatchInTheAppliance(t *testing.T) {
	r := start(t, t.TempDir())
	forger := deviceCertificate(t)
	forger.PrivateKey = deviceCertificate(t).PrivateKey
	resp, err := insecure(forger, wire.ServerName(installationOf(t, r))).Get("https://" + r.https + "/healthz")
	if err == nil {
		resp.Body.Close()
		t.Error("a certificate without its key is answered")
	}
	const want = "key mismatch: the caller does not hold the certificate's key"
	for end := time.Now().Add(patience); ; {
		log := r.must("", "audit", "list", "--action", "certificate.refused")
		if strings.Contains(log, want) && strings.Contains(log, "127.0.0.1") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the audit log does not say it:\n%s", log)
		}
	}
}
