package devices

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const (
	uuidA = "7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b"
	uuidB = "8b5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b"
	macA  = "52:54:00:00:00:0a"
	macB  = "52:54:00:00:00:0b"
	macC  = "52:54:00:00:00:0c"
	zeros = "00000000-0000-0000-0000-000000000000"
)

// Each row: a first claim, a second, and whether they are the same machine.
func TestAMachineThatTellsNothingIsOneDevicePerAddress(t *testing.T) {
	a, _, _ := adminOf(t)
	ids := map[string]bool{}
	for _, from := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		d, err := a.ResolveSignIn(t.Context(), fleet.Claim{}, netip.MustParseAddr(from), true)
		if err != nil {
			t.Fatal(err)
		}
		ids[d.ID] = true
	}
	if len(ids) != 2 {
		t.Errorf("three sign-ins from two addresses made %d devices", len(ids))
	}
}

func TestRecognition(t *testing.T) {
	type claim = fleet.Claim
	full := claim{UUID: uuidA, Serial: "SN-1", Model: "M1", MACs: []string{macA}}
	for _, c := range []struct {
		name  string
		first claim
		next  claim
		same  bool
		note  string
	}{
		{"by UUID, other adapter", full, claim{UUID: strings.ToUpper(uuidA), MACs: []string{macB}}, true, ""},
		{"by serial and model", claim{Serial: "SN-1", Model: "M1", MACs: []string{macA}}, claim{UUID: zeros, Serial: "SN-1", Model: "M1", MACs: []string{macB}}, true, ""},
		{"serial of another model", claim{Serial: "SN-1", Model: "M1", MACs: []string{macA}}, claim{Serial: "SN-1", Model: "M2", MACs: []string{macB}}, false, ""},
		{"by MAC, then the agent tells more", claim{MACs: []string{macA}}, full, true, ""},
		{"by MAC, the loader tells less", full, claim{MACs: []string{macA}}, true, ""},
		{"junk serials", claim{Serial: "Default string", Model: "M", MACs: []string{macA}}, claim{Serial: "Default string", Model: "M", MACs: []string{macB}}, false, ""},
		{"repeating UUID", claim{UUID: "03000200-0400-0500-0006-000700080009", MACs: []string{macA}}, claim{UUID: "03000200-0400-0500-0006-000700080009", MACs: []string{macB}}, false, ""},
		{"zero UUID", claim{UUID: zeros, MACs: []string{macA}}, claim{UUID: zeros, MACs: []string{macB}}, false, ""},
		{"another UUID, another MAC", full, claim{UUID: uuidB, MACs: []string{macB}}, false, ""},

		{"same UUID, other serial", full, claim{UUID: uuidA, Serial: "SN-2", Model: "M1", MACs: []string{macB}}, false, "UUID " + uuidA + " is also that of d001"},
		{"same serial and model, other UUID", full, claim{UUID: uuidB, Serial: "SN-1", Model: "M1", MACs: []string{macB}}, false, "Serial number and model are also those of d001"},
		{"dock that moved", full, claim{UUID: uuidB, Serial: "SN-2", Model: "M1", MACs: []string{macA}}, false, "network adapter of it is known from d001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			first := b.signIn(c.first)
			b.now = b.now.Add(time.Hour)
			next := b.signIn(c.next)
			if (first.ID == next.ID) != c.same {
				t.Errorf("devices %s and %s, want the same: %v", first.ID, next.ID, c.same)
			}
			note := strings.Join(next.Notes, "|")
			if (c.note == "") != (note == "") || !strings.Contains(note, c.note) {
				t.Errorf("note %q, want %q", note, c.note)
			}
			// Once told apart, always told apart: no third device.
			if again := b.signIn(c.next); again.ID != next.ID {
				t.Errorf("the same claim became %s, then %s", next.ID, again.ID)
			}
		})
	}
}

// Two machines behind one UUID: told apart by what else is known.
func TestRepeatingUUIDWithinTheFleet(t *testing.T) {
	b := newBench(t)
	one := b.signIn(fleet.Claim{UUID: uuidA, Serial: "SN-1", Model: "M", MACs: []string{macA}})
	two := b.signIn(fleet.Claim{UUID: uuidA, Serial: "SN-2", Model: "M", MACs: []string{macB}})
	for _, c := range []struct {
		claim fleet.Claim
		want  string
	}{
		{fleet.Claim{UUID: uuidA, MACs: []string{macA}}, one.ID}, // the loader, without a serial
		{fleet.Claim{UUID: uuidA, MACs: []string{macB}}, two.ID},
		{fleet.Claim{UUID: uuidA, Serial: "SN-2", Model: "M"}, two.ID},
	} {
		if d := b.signIn(c.claim); d.ID != c.want {
			t.Errorf("%+v became %s, want %s", c.claim, d.ID, c.want)
		}
	}
}

func TestSharedMACs(t *testing.T) {
	b := newBench(t)
	b.update(func(tx *state.Tx) error {
		return tx.Settings().Put(fleet.Settings{SharedMACs: []string{"52-54-00-00-00-0A"}})
	})
	one := b.signIn(fleet.Claim{UUID: uuidA, MACs: []string{macA}})
	two := b.signIn(fleet.Claim{UUID: uuidB, MACs: []string{macA}})
	three := b.signIn(fleet.Claim{Serial: "SN-3", Model: "M", MACs: []string{macA}})
	if one.ID == two.ID || two.ID == three.ID || one.ID == three.ID || len(two.Notes)+len(three.Notes) != 0 {
		t.Errorf("a shared adapter made %s %s %s one, notes %q %q", one.ID, two.ID, three.ID, two.Notes, three.Notes)
	}
}

// A loader that tells nothing but the MAC of a shared adapter makes no device,
// least of all one each time.
func TestSharedMACAlone(t *testing.T) {
	b := newBench(t)
	b.update(func(tx *state.Tx) error { return tx.Settings().Put(fleet.Settings{SharedMACs: []string{macA}}) })
	for range 3 {
		if _, err := b.boot(fleet.Claim{MACs: []string{macA}}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
	}
	if n := b.count(); n != 0 {
		t.Errorf("%d devices", n)
	}
	if d := b.signIn(fleet.Claim{MACs: []string{macA}}); d.ID == "" {
		t.Error("a sign-in was turned away")
	}
}

// What a claim adds is kept, what it contradicts is not overwritten.
func TestResolveFillsIn(t *testing.T) {
	b := newBench(t)
	first, err := b.boot(fleet.Claim{MACs: []string{macA}})
	if err != nil || first.Architecture != "x64" || first.Firmware != "bios" || first.Address != "10.77.0.9" {
		t.Fatalf("%+v, %v", first, err)
	}
	b.now = b.now.Add(time.Minute)
	got := b.signIn(fleet.Claim{UUID: uuidA, Serial: "SN-1", Manufacturer: "ACME", Model: "M1", MACs: []string{macA, macB}})
	if got.ID != first.ID || got.UUID != uuidA || got.Serial != "SN-1" || got.Manufacturer != "ACME" || !slices.Equal(got.MACs, []string{macA, macB}) {
		t.Errorf("%+v", got)
	}
	if !got.FirstSeen.Equal(first.FirstSeen) || !got.LastSeen.Equal(b.now) || got.Firmware != "bios" {
		t.Errorf("%+v", got)
	}
	kept, err := b.Get(t.Context(), got.ID)
	if err != nil || kept.Serial != "SN-1" {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

func TestResolveNeedsSomething(t *testing.T) {
	b := newBench(t)
	for _, c := range []fleet.Claim{{}, {UUID: zeros}, {Serial: "SN-1"}, {MACs: []string{"junk"}}} {
		if _, err := b.ResolveSignIn(t.Context(), c, netip.Addr{}, true); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Requests of one machine at a time make one device.
func TestResolveAtOnce(t *testing.T) {
	b := newBench(t, func(o *Options) { o.NewID = nil })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := b.ResolveSignIn(context.Background(), fleet.Claim{UUID: uuidA, MACs: []string{macA}}, netip.Addr{}, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.count(); n != 1 {
		t.Errorf("%d devices", n)
	}
}

// A machine that asks again and again does not make a write each time.
func TestLastSeenIsCoalesced(t *testing.T) {
	b := newBench(t)
	changes := b.store.Subscribe(t.Context(), "devices")
	written := func() (n int) {
		for {
			select {
			case <-changes:
				n++
			case <-time.After(50 * time.Millisecond):
				return n
			}
		}
	}
	claim := fleet.Claim{UUID: uuidA, MACs: []string{macA}}
	for range 200 { // 0.2 s of its clock
		if _, err := b.boot(claim); err != nil {
			t.Fatal(err)
		}
	}
	if n := written(); n != 1 {
		t.Errorf("%d writes for 200 requests at once", n)
	}
	addresses := 0
	for i := range 300 { // five minutes, another address each second
		b.now = b.now.Add(time.Second)
		if _, err := b.Resolve(t.Context(), claim, Seen{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}); err != nil {
			t.Fatal(err)
		}
		addresses++
	}
	if n := written(); n < 5 || n > 31 {
		t.Errorf("%d writes for %d changes of address in 300 s", n, addresses)
	}
}

// A clock that was ahead leaves times in the future. They are put right with the next
// claim, and what it says is recorded.
func TestAClockThatWasAhead(t *testing.T) {
	b := newBench(t)
	claim := fleet.Claim{UUID: uuidA, MACs: []string{macA}}
	right := b.now
	b.now = right.AddDate(1, 0, 0)
	if _, err := b.boot(claim); err != nil {
		t.Fatal(err)
	}
	b.now = right
	for _, addr := range []string{"10.77.0.20", "10.77.0.21"} {
		b.now = b.now.Add(restAddress)
		d, err := b.Resolve(t.Context(), claim, Seen{Addr: netip.MustParseAddr(addr)})
		if err != nil || d.Address != addr || !d.LastSeen.Equal(b.now) {
			t.Errorf("%s, seen %s, %v", d.Address, d.LastSeen, err)
		}
	}
}

// Claims of boot loaders cannot push out the addresses of a device; those of a
// signed-in agent push out the oldest.
func TestMACsAreBounded(t *testing.T) {
	b := newBench(t)
	for i := range 40 {
		if _, err := b.boot(fleet.Claim{UUID: uuidA, MACs: []string{fmt.Sprintf("52:54:00:00:01:%02x", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := b.Get(t.Context(), uuidA)
	if err != nil || len(d.MACs) != maxMACs || d.MACs[0] != "52:54:00:00:01:00" {
		t.Fatalf("%v, %v", d.MACs, err)
	}
	d = b.signIn(fleet.Claim{UUID: uuidA, MACs: []string{macA}})
	if len(d.MACs) != maxMACs || d.MACs[maxMACs-1] != macA {
		t.Errorf("%v", d.MACs)
	}
}

// TestStrangersThatSignInWithoutProofAreBounded: where nothing has to be proven, made-up
// machines fill the state no faster than their boot loaders would.
func TestStrangersThatSignInWithoutProofAreBounded(t *testing.T) {
	b := newBench(t)
	addr := netip.MustParseAddr("192.0.2.1")
	made := 0
	for i := range 200 {
		c := fleet.Claim{UUID: fmt.Sprintf("4c4c4544-0001-%04d-8031-b4c04f4a3232", i)}
		switch _, err := b.ResolveSignIn(t.Context(), c, addr, false); {
		case err == nil:
			made++
		case !errors.Is(err, ErrTooMany):
			t.Fatal(err)
		}
	}
	if made != addressBurst {
		t.Errorf("%d devices of one address at once, not %d", made, addressBurst)
	}
	c := fleet.Claim{UUID: fmt.Sprintf("4c4c4544-0001-%04d-8031-b4c04f4a3232", 0)}
	if _, err := b.ResolveSignIn(t.Context(), c, addr, false); err != nil {
		t.Errorf("one that is known: %v", err)
	}
}
