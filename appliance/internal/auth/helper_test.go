package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// cheap costs next to nothing: these tests are about what is around the hash.
var cheap = Params{MemoryKiB: 8, Passes: 1, Threads: 1}

const weakPasscode = "rg4" // weaker than the weakest that need not be forced

const rightPasscode = "plinth walrus 47" // about 52 bits: no cap over all

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

// trail is an audit log in memory.
type trail struct {
	mu      sync.Mutex
	entries []fleet.AuditEntry
}

func (a *trail) Write(_ context.Context, e fleet.AuditEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.entries) < 10000 {
		a.entries = append(a.entries, e)
	}
	return nil
}

// actions are the entries as "action:outcome:reason".
func (a *trail) actions() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		out = append(out, e.Action+":"+e.Outcome+":"+e.Reason)
	}
	return out
}

func (a *trail) wants(t *testing.T, want string) fleet.AuditEntry {
	t.Helper()
	i := slices.Index(a.actions(), want)
	if i < 0 {
		t.Errorf("no audit entry %q among %q", want, a.actions())
		return fleet.AuditEntry{}
	}
	return a.entries[i]
}

// neverHolds fails when a secret stands anywhere in the log.
func (a *trail) neverHolds(t *testing.T, secrets ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		for _, s := range secrets {
			if strings.Contains(fmt.Sprintf("%+v", e), s) {
				t.Errorf("the secret %q stands in the audit log: %+v", s, e)
			}
		}
	}
}

// bench is a service with all it needs.
type bench struct {
	*Service
	clock *clock
	trail *trail
	state *state.Store
	dir   string
}

func openStore(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(context.Background(), state.Options{
		Dir: dir, Logger: slog.New(slog.DiscardHandler), SegmentSize: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{clock: newClock(), trail: &trail{}, state: openStore(t, dir), dir: dir}
	b.restart(t)
	return b
}

// restart makes the service anew over the same state, as a new process does.
func (b *bench) restart(t *testing.T) {
	t.Helper()
	s, err := New(Options{
		Store: b.state, Audit: b.trail, Hash: cheap, Now: b.clock.now, Logger: slog.New(slog.DiscardHandler), Sealer: seal{},
		Resolve: func(_ context.Context, c fleet.Claim, _ netip.Addr, _ bool) (fleet.Device, error) {
			return fleet.Device{ID: "device-" + c.Serial}, nil
		},
		Find: func(c fleet.Claim) (fleet.Device, bool, error) {
			return fleet.Device{ID: "device-" + c.Serial}, c.Serial != "" && c.Serial != "new", nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Service = s
}

// seal is a keyring that shows when something was stored unsealed.
type seal struct{}

func (seal) Seal(plain []byte, purpose string) ([]byte, error) {
	return []byte(purpose + ":" + hex.EncodeToString(plain)), nil
}

func (seal) Open(sealed []byte, purpose string) ([]byte, error) {
	text, ok := strings.CutPrefix(string(sealed), purpose+":")
	if !ok {
		return nil, errors.New("sealed for another purpose")
	}
	return hex.DecodeString(text)
}

func (b *bench) setPasscode(t *testing.T, value string) {
	t.Helper()
	if err := b.SetPasscode(t.Context(), Actor{Name: "local"}, value, true); err != nil {
		t.Fatal(err)
	}
}

func from(addr string) Caller { return Caller{Addr: netip.MustParseAddr(addr)} }

func machine(serial string) fleet.Claim { return fleet.Claim{Serial: serial, Model: "T1"} }

// try signs in with a passcode and returns the error only.
func (b *bench) try(passcode, addr, serial string) error {
	_, _, err := b.SignInPasscode(context.Background(), passcode, "", machine(serial), from(addr))
	return err
}

// throttled asserts that err is a throttling answer and returns it.
func throttled(t *testing.T, err error) *ThrottledError {
	t.Helper()
	var e *ThrottledError
	if !errors.As(err, &e) {
		t.Fatalf("err = %v, want throttling", err)
	}
	return e
}

func wants(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("err = %v, want %v", err, want)
	}
}

const goodPassword = "quartz-Lantern 88 moss"
