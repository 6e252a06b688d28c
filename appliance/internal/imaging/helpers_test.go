package imaging

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
	"slipway/images"
)

// auditLog remembers entries.
type auditLog struct {
	mu      sync.Mutex
	entries []fleet.AuditEntry
}

func (a *auditLog) Write(_ context.Context, e fleet.AuditEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
	return nil
}

func (a *auditLog) find(action string) []fleet.AuditEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []fleet.AuditEntry
	for _, e := range a.entries {
		if e.Action == action {
			out = append(out, e)
		}
	}
	return out
}

// gate is a builder that waits until it is let through, to hold builds open.
type gate struct {
	*bootimages.Builder
	open   chan struct{} // a token for each build
	mu     sync.Mutex
	starts int
	at     int // builds at work now
	most   int
}

func (g *gate) BuildLinux(ctx context.Context, o bootimages.Options, r bootimages.Report) (fleet.BootImage, error) {
	g.mu.Lock()
	g.starts++
	g.at++
	g.most = max(g.most, g.at)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.at--
		g.mu.Unlock()
	}()
	select {
	case <-g.open:
		return g.Builder.BuildLinux(ctx, o, r)
	case <-ctx.Done():
		return fleet.BootImage{}, ctx.Err()
	}
}

func (g *gate) counts() (starts, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.starts, g.most
}

// world is a service with all it needs, on small packages.
type world struct {
	*Service
	t       *testing.T
	store   *state.Store
	builder *gate
	audit   *auditLog
	data    string
	ca      [][]byte
	options bootimages.Options
	started time.Time
	passed  atomic.Int64 // nanoseconds since then
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	packages, agent := filepath.Join(dir, "packages"), filepath.Join(dir, "agent")
	if err := errors.Join(os.Mkdir(packages, 0o755), bootimagetest.WritePackages(packages, "6.9-1"), os.WriteFile(agent, bootimagetest.Program(false), 0o755)); err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(t.Context(), state.Options{Dir: filepath.Join(dir, "state"), Logger: silent(), SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := &world{t: t, store: store, audit: &auditLog{}, data: dir, ca: [][]byte{certificate(t)}, started: time.Unix(1700000000, 0),
		options: bootimages.Options{Packages: packages, Agent: agent}}
	w.builder = &gate{Builder: &bootimages.Builder{Data: dir, Recipes: images.FS()}, open: make(chan struct{}, 100)}
	w.start()
	return w
}

// start opens the service, as a restart of the appliance does.
func (w *world) start() {
	w.t.Helper()
	s, err := Open(w.t.Context(), Config{Builder: w.builder, Store: w.store, Audit: w.audit, CASet: func() [][]byte { return w.ca },
		Installation: func() string { return "test" }, AgentVersion: "1", Protocol: 1, Logger: silent(), Now: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Service = s
	w.t.Cleanup(func() { _ = s.Close() })
}

func (w *world) restart() {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

// build builds to the end and returns the image's id.
func (w *world) build(change func(*bootimages.Options)) string {
	w.t.Helper()
	o := w.options
	if change != nil {
		change(&o)
	}
	w.builder.open <- struct{}{}
	id, err := w.Build(w.t.Context(), Actor{Name: "tester", Address: "192.0.2.7"}, "linux", o)
	if err != nil {
		w.t.Fatal(err)
	}
	last := w.wait(id)
	if last.State != Done {
		w.t.Fatalf("build ended as %+v", last)
	}
	return last.ImageID
}

// wait follows a build to its last state.
func (w *world) wait(id string) fleet.ImageBuild {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	ch, err := w.Watch(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	var last fleet.ImageBuild
	for b := range ch {
		if b.Percent < last.Percent {
			w.t.Errorf("progress fell from %d to %d", last.Percent, b.Percent)
		}
		last = b
	}
	if last.State == Running {
		w.t.Fatalf("the watch ended before the build: %+v", last)
	}
	return last
}

// eventually polls until the condition holds.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

func (w *world) put(d fleet.Device) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), func(tx *state.Tx) error { return tx.Devices().Put(d) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exists(id string) bool {
	_, err := os.Stat(filepath.Join(w.builder.BootDir(), id, "vmlinuz"))
	return err == nil
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// now is the clock of the service; builds that end read it too.
func (w *world) now() time.Time { return w.started.Add(time.Duration(w.passed.Load())) }
