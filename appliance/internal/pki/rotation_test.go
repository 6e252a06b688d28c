package pki

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// auditLog remembers entries, unless it is off.
type auditLog struct {
	mu      sync.Mutex
	off     bool
	entries []fleet.AuditEntry
}

func (a *auditLog) Write(_ context.Context, e fleet.AuditEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off {
		return errors.New("killed before this")
	}
	e.Number = int64(len(a.entries) + 1)
	a.entries = append(a.entries, e)
	return nil
}

func (a *auditLog) Recent(f audit.Filter, _ int64, n int) (out []fleet.AuditEntry, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range slices.Backward(a.entries) {
		if strings.HasPrefix(e.Action, f.Action) && len(out) < n {
			out = append(out, e)
		}
	}
	return out, nil
}

func (a *auditLog) actions() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		out = append(out, e.Actor+" "+e.Action)
	}
	return out
}

// site is an installation with its store, whose appliance can be started again.
type site struct {
	t     *testing.T
	dir   string
	store *state.Store
	clock *clock
	audit *auditLog
	*Authority
	rotation *Rotation
	config   *tls.Config
}

var by = Actor{Name: "anna", Address: "192.0.2.7"}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), clock: at("2026-11-21"), audit: &auditLog{}}
	s.start()
	t.Cleanup(func() { s.store.Close() })
	return s
}

func (s *site) start() {
	s.t.Helper()
	var err error
	if s.store, err = state.Open(context.Background(), state.Options{Dir: s.dir, Logger: slog.New(slog.DiscardHandler), SegmentSize: 1 << 20}); err != nil {
		s.t.Fatal(err)
	}
	s.Authority = ensure(s.t, s.store, s.clock)
	s.rotation = NewRotation(RotationOptions{Authority: s.Authority, Audit: s.audit, Logger: slog.New(slog.DiscardHandler), Every: time.Hour})
	s.config = s.TLSConfig()
}

func (s *site) restart() {
	s.t.Helper()
	if err := s.store.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// image records an image that trusts these authorities, as the one served.
func (s *site) image(id string, served bool, set ...string) {
	s.t.Helper()
	err := s.store.Update(s.t.Context(), func(tx *state.Tx) error {
		for _, i := range slices.Collect(tx.Images().All()) {
			if i.Served && served {
				i.Served = false
				if err := tx.Images().Put(i); err != nil {
					return err
				}
			}
		}
		return tx.Images().Put(fleet.BootImage{ID: id, Kind: "linux", Architecture: "x64", CASet: set, Served: served})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) device(d fleet.Device) {
	s.t.Helper()
	if err := s.store.Update(s.t.Context(), func(tx *state.Tx) error { return tx.Devices().Put(d) }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) status() fleet.AuthorityStatus {
	s.t.Helper()
	status, err := s.rotation.Status(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return status
}

func (s *site) states() string {
	var out []string
	for _, a := range s.status().Authorities {
		out = append(out, string(a.State))
	}
	return strings.Join(out, " ")
}

// reach says which of the pinned sets can reach the appliance.
func (s *site) reach(pins map[string]*x509.CertPool) string {
	s.t.Helper()
	var out []string
	for _, name := range []string{"old", "both", "new"} {
		c := &tls.Config{RootCAs: pins[name], ServerName: s.ServerName(), Time: s.clock.now}
		if handshake(s.t, s.config, c).err == nil {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

func pool(ders ...[]byte) *x509.CertPool {
	p := x509.NewCertPool()
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		p.AddCert(c)
	}
	return p
}

// The whole way, with a restart in every phase.
func TestRotation(t *testing.T) {
	s := newSite(t)
	ctx := t.Context()
	old := s.CAFingerprints()[0]
	s.image("first", true, old)
	if err := s.rotation.ChangeOver(ctx, by, true); !errors.Is(err, ErrNoRotation) {
		t.Errorf("changeover without a rotation: %v", err)
	}
	if err := s.rotation.Retire(ctx, by, true); !errors.Is(err, ErrNothingOld) {
		t.Errorf("retiring the only one: %v", err)
	}
	if begun, err := s.rotation.Rotate(ctx, by); err != nil || !begun {
		t.Fatal(begun, err)
	}
	set := s.CASet()
	if len(set) != 2 || fingerprint(set[0]) != old {
		t.Fatalf("the set is %v", s.CAFingerprints())
	}
	fresh := fingerprint(set[1])
	pins := map[string]*x509.CertPool{"old": pool(set[0]), "both": pool(set...), "new": pool(set[1])}
	phase := func(name, states, reach string) {
		t.Helper()
		for range 2 {
			if have := s.states(); have != states {
				t.Errorf("%s: states %q, want %q", name, have, states)
			}
			if have := s.reach(pins); have != reach {
				t.Errorf("%s: reached with the pins %q, want %q", name, have, reach)
			}
			if err := s.rotation.advance(ctx); err != nil {
				t.Error(err)
			}
			s.restart()
		}
	}
	phase("begun", "signing pending", "old both")
	if begun, err := s.rotation.Rotate(ctx, by); err != nil || begun || len(s.CASet()) != 2 {
		t.Errorf("a second rotation beside the first: %v %v", begun, err)
	}
	if err := s.rotation.Retire(ctx, by, true); !errors.Is(err, ErrStillSigned) {
		t.Errorf("retiring the one that signs: %v", err)
	}
	var blocked *BlockedError
	if err := s.rotation.ChangeOver(ctx, by, false); !errors.As(err, &blocked) || len(blocked.Reasons) != 1 || !strings.Contains(blocked.Reasons[0], "linux x64 image first") {
		t.Errorf("changeover while the served image lacks it: %v", err)
	}
	s.image("second", true, old, fresh)
	if st := s.status(); len(st.Blocked) != 0 || len(st.Images) != 1 || st.Images[0].Image != "first" || st.Images[0].Served {
		t.Errorf("status %+v", st)
	}
	if err := s.rotation.advance(ctx); err != nil {
		t.Fatal(err)
	}
	phase("changed over", "signing old", "both new")
	if got := s.CAFingerprints(); got[0] != fresh || got[1] != old {
		t.Errorf("the set is %v", got)
	}
	if _, err := s.rotation.Rotate(ctx, by); !errors.Is(err, ErrNotRetired) {
		t.Errorf("a rotation before the last one ended: %v", err)
	}
	if err := s.rotation.Retire(ctx, by, false); err != nil {
		t.Fatal(err)
	}
	phase("retired", "signing", "both new")
	if got := s.CAFingerprints(); len(got) != 1 || got[0] != fresh {
		t.Errorf("the set is %v", got)
	}
	if begun, err := s.rotation.Rotate(ctx, by); err != nil || !begun {
		t.Errorf("the next rotation: %v %v", begun, err)
	}
	want := []string{"anna ca.rotated", "appliance ca.changed-over", "anna ca.retired", "anna ca.rotated"}
	if have := s.audit.actions(); !slices.Equal(have, want) {
		t.Errorf("audit has %q, want %q", have, want)
	}
}

// A forced changeover and retirement work, and say in the audit log what they broke.
func TestForcedChangeover(t *testing.T) {
	s := newSite(t)
	ctx := t.Context()
	old := s.CASet()[0]
	s.image("first", true, fingerprint(old))
	if _, err := s.rotation.Rotate(ctx, by); err != nil {
		t.Fatal(err)
	}
	pins := map[string]*x509.CertPool{"old": pool(old), "both": pool(s.CASet()...), "new": pool(s.CASet()[1])}
	if err := s.rotation.ChangeOver(ctx, by, true); err != nil {
		t.Fatal(err)
	}
	if have := s.reach(pins); have != "both new" {
		t.Errorf("reached with the pins %q", have)
	}
	var blocked *BlockedError
	if err := s.rotation.Retire(ctx, by, false); !errors.As(err, &blocked) {
		t.Errorf("retired while the served image lacks the new one: %v", err)
	}
	if err := s.rotation.Retire(ctx, by, true); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.audit.entries[1:] {
		if !strings.Contains(e.Reason, "forced although the served linux x64 image first") || e.Address != by.Address {
			t.Errorf("entry %+v", e)
		}
	}
}

// A device at work on an image without the new authority is not cut off, unless
// nobody has heard of it for a day; one without an image of ours holds nothing up.
func TestADeviceAtWorkIsNotCutOff(t *testing.T) {
	s := newSite(t)
	ctx := t.Context()
	old := s.CAFingerprints()[0]
	s.image("first", true, old)
	if _, err := s.rotation.Rotate(ctx, by); err != nil {
		t.Fatal(err)
	}
	s.device(fleet.Device{ID: "d1", Name: "bench", ImageID: "first", Deployment: "run", LastSeen: s.clock.now()})
	s.device(fleet.Device{ID: "d2", ImageID: "first", LastSeen: s.clock.now()})
	s.device(fleet.Device{ID: "d3", ImageID: "unknown", Deployment: "run2", LastSeen: s.clock.now()})
	s.image("second", true, old, s.CAFingerprints()[1])
	if err := s.rotation.advance(ctx); err != nil {
		t.Fatal(err)
	}
	st := s.status()
	if s.states() != "signing pending" || len(st.Blocked) != 1 || !strings.Contains(st.Blocked[0], "device bench") || len(st.Devices) != 2 {
		t.Fatalf("status %+v", st)
	}
	s.clock.set("2026-11-23")
	if err := s.rotation.advance(ctx); err != nil || s.states() != "signing old" {
		t.Errorf("after two days: %s, %v", s.states(), err)
	}
}

// Run changes over by itself, and a connection that is open lives on, while the
// same listener shows the new certificate to the next.
func TestRunChangesOverUnderARunningListener(t *testing.T) {
	s := newSite(t)
	s.clock.t = time.Now()
	old := s.CASet()[0]
	s.image("first", true, fingerprint(old))
	if _, err := s.rotation.Rotate(t.Context(), by); err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })}
	served := make(chan error, 1)
	go func() { served <- server.Serve(tls.NewListener(plain, s.config)) }()
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.rotation.Run(ctx) }()
	defer func() {
		cancel()
		server.Close()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		<-served
	}()
	open, err := tls.Dial("tcp", plain.Addr().String(), &tls.Config{RootCAs: pool(old), ServerName: s.ServerName()})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	ask(t, open)
	s.image("second", true, s.CAFingerprints()...)
	for deadline := time.Now().Add(60 * time.Second); s.states() != "signing old"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no changeover: %+v", s.status())
		}
	}
	// Who reads that the new one signs finds it so.
	record, err := load(s.store)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := tls.Dial("tcp", plain.Addr().String(), &tls.Config{RootCAs: pool(record.Authorities[0].Certificate), ServerName: s.ServerName()})
	if err != nil {
		t.Fatalf("the listener does not show the new certificate: %v", err)
	}
	ask(t, fresh)
	fresh.Close()
	ask(t, open)
}

// What the status says, the listener does: between the record of a changeover and the
// listener who reads it is a moment in which somebody may ask.
func TestTheListenerDoesWhatTheStatusSays(t *testing.T) {
	s := newSite(t)
	s.image("first", true, fingerprint(s.CASet()[0]))
	if _, err := s.rotation.Rotate(t.Context(), by); err != nil {
		t.Fatal(err)
	}
	set := s.CASet()
	pins := map[string]*x509.CertPool{"old": pool(set[0]), "both": pool(set...), "new": pool(set[1])}
	if got := s.reach(pins); got != "old both" {
		t.Fatalf("before: %s", got)
	}
	err := s.store.Update(t.Context(), func(tx *state.Tx) error {
		i, err := tx.Installation().Get(installationKey)
		if err != nil {
			return err
		}
		slices.Reverse(i.Authorities)
		return tx.Installation().Put(i)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.states(); got != "signing old" {
		t.Fatalf("states: %s", got)
	}
	if got := s.reach(pins); got != "both new" {
		t.Errorf("the status says that the new one signs; it is reached with %s", got)
	}
}

// ask sends a request over a connection that stays open.
func ask(t *testing.T, c *tls.Conn) {
	t.Helper()
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: slipway\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != c.LocalAddr().String() {
		t.Errorf("answer %q, %v", body, err)
	}
}

// Two administrators at once, with the clock set back: one new authority, and it
// is known for the newer one.
func TestSimultaneousRotations(t *testing.T) {
	s := newSite(t)
	s.clock.set("2020-01-01")
	var wg sync.WaitGroup
	begun := make(chan bool, 8)
	for range 8 {
		wg.Go(func() {
			b, err := s.rotation.Rotate(t.Context(), by)
			if err != nil {
				t.Error(err)
			}
			begun <- b
		})
	}
	wg.Wait()
	close(begun)
	n := 0
	for b := range begun {
		if b {
			n++
		}
	}
	if n != 1 || s.states() != "signing pending" || len(s.CASet()) != 2 {
		t.Errorf("%d rotations, states %s", n, s.states())
	}
}

// A crash between a change and its entry: the next start writes the entry, once,
// and none where nothing is missing.
func TestEntriesAfterACrash(t *testing.T) {
	for lost, want := range map[string][]string{
		"":          {"anna ca.rotated", "anna ca.changed-over", "anna ca.retired"},
		"rotate":    {"appliance ca.rotated", "anna ca.changed-over", "anna ca.retired"},
		"change":    {"anna ca.rotated", "appliance ca.changed-over", "anna ca.retired"},
		"retire":    {"anna ca.rotated", "anna ca.changed-over", "appliance ca.retired"},
		"all three": {"appliance ca.rotated", "appliance ca.changed-over", "appliance ca.retired"},
	} {
		s := newSite(t)
		step := func(name string, do func() error) {
			t.Helper()
			s.audit.off = lost == name || lost == "all three"
			if err := do(); err != nil {
				t.Fatal(err)
			}
			s.audit.off = false
			for range 2 {
				s.restart()
				if err := s.rotation.catchUp(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		step("nothing", func() error { return nil })
		step("rotate", func() error { _, err := s.rotation.Rotate(t.Context(), by); return err })
		step("change", func() error { return s.rotation.ChangeOver(t.Context(), by, false) })
		step("retire", func() error { return s.rotation.Retire(t.Context(), by, false) })
		if have := s.audit.actions(); !slices.Equal(have, want) {
			t.Errorf("lost %q: the log has %q, want %q", lost, have, want)
		}
	}
}
