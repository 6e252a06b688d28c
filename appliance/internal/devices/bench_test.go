package devices

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// bench is a service over a real store, with a clock that the test moves.
type bench struct {
	*Service
	t     *testing.T
	store *state.Store
	now   time.Time
	ids   int
}

func newBench(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	store, err := state.Open(t.Context(), state.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, store: store, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	o := Options{Store: store, Now: func() time.Time { return b.now }, NewID: func() string { b.ids++; return fmt.Sprintf("d%03d", b.ids) }}
	for _, c := range change {
		c(&o)
	}
	b.Service = New(o)
	return b
}

// signIn resolves a claim after a sign-in, boot one of a boot loader.
func (b *bench) signIn(c fleet.Claim) fleet.Device {
	b.t.Helper()
	d, err := b.ResolveSignIn(b.t.Context(), c, netip.MustParseAddr("10.77.0.9"), true)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

func (b *bench) boot(c fleet.Claim) (fleet.Device, error) {
	b.now = b.now.Add(time.Millisecond)
	return b.Resolve(b.t.Context(), c, Seen{Addr: netip.MustParseAddr("10.77.0.9"), Arch: "x64", Firmware: "bios"})
}

func (b *bench) update(fn func(tx *state.Tx) error) {
	b.t.Helper()
	if err := b.store.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) count() int {
	b.t.Helper()
	all, err := b.List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return len(all)
}
