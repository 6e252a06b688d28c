package devices

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func TestGetByAnyName(t *testing.T) {
	b := newBench(t)
	d := b.signIn(fleet.Claim{UUID: uuidA, MACs: []string{macA}})
	if err := b.Rename(t.Context(), d.ID, "Kiosk 1"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{d.ID, "kiosk 1", " Kiosk 1 ", uuidA, strings.ToUpper(uuidA), macA, "52-54-00-00-00-0A", "52540000000a"} {
		if got, err := b.Get(t.Context(), key); err != nil || got.ID != d.ID {
			t.Errorf("%q: %s, %v", key, got.ID, err)
		}
	}
	for _, key := range []string{"", "kiosk", uuidB, macB, strings.Repeat("x", 1000)} {
		if _, err := b.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", key, err)
		}
	}
	b.signIn(fleet.Claim{UUID: uuidB, MACs: []string{macA}}) // a dock that moved
	if _, err := b.Get(t.Context(), macA); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("an address of two devices: %v", err)
	}
}

func TestRename(t *testing.T) {
	b := newBench(t)
	one, two := b.signIn(fleet.Claim{UUID: uuidA}), b.signIn(fleet.Claim{UUID: uuidB})
	for _, name := range []string{"a\nb", strings.Repeat("x", 65), macA, uuidA, "a\u200bb", "\xff", two.ID} {
		if err := b.Rename(t.Context(), one.ID, name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"Müller, Empfang", "desk"} {
		if err := b.Rename(t.Context(), one.ID, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Rename(t.Context(), two.ID, "DESK"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a taken name: %v", err)
	}
	if err := b.Rename(t.Context(), "desk", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Rename(t.Context(), "nobody", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no device: %v", err)
	}
}

func TestAssign(t *testing.T) {
	b := newBench(t)
	d := b.signIn(fleet.Claim{UUID: uuidA})
	b.update(func(tx *state.Tx) error {
		return tx.Sequences().Put(fleet.Sequence{ID: "hello", Version: 2, Name: "Hello"})
	})
	for sequence, want := range map[string]error{
		"hello": nil, "hello:2": nil, "": nil, " hello ": nil,
		"hello:1": ErrUnknownSequence, "hello:x": ErrUnknownSequence, "bye": ErrUnknownSequence, "hello:2:3": ErrUnknownSequence,
	} {
		if err := b.Assign(t.Context(), d.ID, sequence); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", sequence, err, want)
		}
		got, _ := b.Get(t.Context(), d.ID)
		if want == nil && got.Sequence != strings.TrimSpace(sequence) {
			t.Errorf("%q became %q", sequence, got.Sequence)
		}
	}
}

func TestSetBootAndTakeNext(t *testing.T) {
	b := newBench(t)
	d := b.signIn(fleet.Claim{UUID: uuidA})
	set := func(target fleet.BootTarget, once bool, want fleet.BootPolicy) {
		t.Helper()
		if err := b.SetBoot(t.Context(), d.ID, target, once); err != nil {
			t.Fatal(err)
		}
		if got, _ := b.Get(t.Context(), d.ID); got.Boot != want {
			t.Errorf("%q once %v: %+v, want %+v", target, once, got.Boot, want)
		}
	}
	set(fleet.BootDisk, false, fleet.BootPolicy{Always: fleet.BootDisk})
	set(fleet.BootImageTarget, true, fleet.BootPolicy{Always: fleet.BootDisk, Next: fleet.BootImageTarget})
	if taken, err := b.TakeNext(t.Context(), d.ID, fleet.BootSilent); taken || err != nil {
		t.Errorf("another answer was taken: %v", err)
	}
	if taken, err := b.TakeNext(t.Context(), d.ID, fleet.BootImageTarget); !taken || err != nil {
		t.Errorf("not taken: %v", err)
	}
	if taken, err := b.TakeNext(t.Context(), d.ID, fleet.BootImageTarget); taken || err != nil {
		t.Errorf("taken twice: %v", err)
	}
	set(fleet.BootSilent, true, fleet.BootPolicy{Always: fleet.BootDisk, Next: fleet.BootSilent})
	set("", true, fleet.BootPolicy{Always: fleet.BootDisk})
	set("", false, fleet.BootPolicy{})
	if err := b.SetBoot(t.Context(), d.ID, "usb", false); !errors.Is(err, ErrInvalid) {
		t.Errorf("usb: %v", err)
	}
}

func TestMerge(t *testing.T) {
	b := newBench(t)
	old := b.signIn(fleet.Claim{UUID: uuidA, Serial: "SN-1", Model: "M", MACs: []string{macA, macC}})
	if err := b.Rename(t.Context(), old.ID, "desk"); err != nil {
		t.Fatal(err)
	}
	first := b.now
	b.now = b.now.Add(time.Hour)
	board := b.signIn(fleet.Claim{UUID: uuidB, MACs: []string{macB, macC}}) // a new mainboard
	b.update(func(tx *state.Tx) error {
		if err := tx.Deployments().Put(fleet.Deployment{ID: "dep", DeviceID: board.ID}); err != nil {
			return err
		}
		return tx.Tokens().Put(fleet.Token{Hash: "h", ID: "t", Kind: fleet.TokenDevice, DeviceID: board.ID})
	})
	if err := b.Merge(t.Context(), "desk", board.ID); err != nil {
		t.Fatal(err)
	}
	got, err := b.Get(t.Context(), "desk")
	if err != nil || got.ID != old.ID || got.UUID != uuidB || got.Serial != "SN-1" || !slices.Equal(got.MACs, []string{macA, macC, macB}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if !got.FirstSeen.Equal(first) || !got.LastSeen.Equal(b.now) || !strings.Contains(strings.Join(got.Notes, ""), "Merged with "+board.ID) {
		t.Errorf("%+v", got)
	}
	if _, err := b.Get(t.Context(), board.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the merged device is still there: %v", err)
	}
	err = b.store.View(func(tx *state.Tx) error {
		n := 0
		for range tx.Deployments().ByDevice(old.ID) {
			n++
		}
		for range tx.Tokens().ByDevice(old.ID) {
			n++
		}
		if n != 2 {
			t.Errorf("%d of deployment and token moved", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if again := b.signIn(fleet.Claim{UUID: uuidB, MACs: []string{macB}}); again.ID != old.ID {
		t.Errorf("after the merge it is %s", again.ID)
	}
	if err := b.Merge(t.Context(), "desk", old.ID); !errors.Is(err, ErrInvalid) {
		t.Errorf("with itself: %v", err)
	}
}

func TestMergeBusy(t *testing.T) {
	b := newBench(t)
	one, two := b.signIn(fleet.Claim{UUID: uuidA}), b.signIn(fleet.Claim{UUID: uuidB})
	b.update(func(tx *state.Tx) error {
		for _, d := range []fleet.Device{one, two} {
			d.Deployment = "dep-" + d.ID
			if err := tx.Devices().Put(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err := b.Merge(t.Context(), one.ID, two.ID); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	if b.count() != 2 {
		t.Error("a refused merge changed something")
	}
}
