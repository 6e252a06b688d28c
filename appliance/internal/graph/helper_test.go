package graph

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/graph/graphtest"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// trail is an audit log in memory.
type trail struct {
	mu      sync.Mutex
	entries []fleet.AuditEntry
}

func (a *trail) Write(_ context.Context, e fleet.AuditEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
	return nil
}

// told is the trail in short.
func (a *trail) told() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, e := range a.entries {
		out = append(out, strings.TrimSpace(strings.Join([]string{e.Action, e.Object, e.Outcome, e.Reason}, " ")))
	}
	return strings.Join(out, "\n")
}

type bench struct {
	*Service
	trail *trail
	store *state.Store
	tell  *bytes.Buffer // the log
}

func newBench(t *testing.T) *bench {
	t.Helper()
	store, err := state.Open(t.Context(), state.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), SegmentSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	ring, err := secrets.Ensure(t.Context(), store, filepath.Join(t.TempDir(), "secret.key"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{trail: &trail{}, store: store, tell: &bytes.Buffer{}}
	b.Service = New(Options{Store: store, Audit: b.trail, Sealer: ring, Logger: slog.New(slog.NewTextHandler(b.tell, nil))})
	return b
}

func (b *bench) set(t *testing.T, changes map[string]string) {
	t.Helper()
	if err := b.Change(t.Context(), "ada", "192.0.2.9", changes); err != nil {
		t.Fatal(err)
	}
}

// connected is a bench whose settings are those of a stand-in.
func connected(t *testing.T) (*bench, *graphtest.Server) {
	t.Helper()
	b, s := newBench(t), graphtest.Start(t)
	b.set(t, map[string]string{"tenant": s.Tenant, "client_id": s.ClientID, "client_secret": s.Secret, "authority": s.URL, "endpoint": s.URL})
	return b, s
}

// ownCertificate is a self-signed one with its key, PEM.
func ownCertificate(t *testing.T, until time.Time) (*x509.Certificate, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Slipway"}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return leaf, string(append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...))
}

func hash(seed string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(seed, 200)))
}

// register asks until the device has its profile, at most n times, and returns the
// states it went through.
func (b *bench) register(t *testing.T, key string, h Hardware, n int) string {
	t.Helper()
	var states []string
	for range n {
		r, err := b.Register(t.Context(), key, "dev-1", h)
		if err != nil {
			t.Fatal(err)
		}
		if r.Detail == "" || (r.Wait == 0) != (r.State == Assigned) {
			t.Errorf("%+v", r)
		}
		if states = append(states, r.State); r.State == Assigned {
			break
		}
	}
	return strings.Join(states, " ")
}

func wants(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
