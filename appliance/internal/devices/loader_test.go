package devices

import (
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// A loader tells little. What fits several devices becomes one more at most, however
// often it is told.
func TestAClaimThatFitsSeveralMakesOneDevice(t *testing.T) {
	for _, c := range []struct {
		name  string
		known []fleet.Claim
		claim fleet.Claim
	}{
		{"an adapter of two machines", []fleet.Claim{{UUID: uuidA, MACs: []string{macA}}, {UUID: uuidB, MACs: []string{macA}}}, fleet.Claim{MACs: []string{macA}}},
		{"a UUID and an adapter of two machines",
			[]fleet.Claim{{UUID: uuidA, Serial: "SN-1", Model: "M", MACs: []string{macA}}, {UUID: uuidA, Serial: "SN-2", Model: "M", MACs: []string{macA}}},
			fleet.Claim{UUID: uuidA, MACs: []string{macA}}},
		{"a UUID of two machines, by a shared adapter",
			[]fleet.Claim{{UUID: uuidA, Serial: "SN-1", Model: "M"}, {UUID: uuidA, Serial: "SN-2", Model: "M"}},
			fleet.Claim{UUID: uuidA, MACs: []string{macC}}},
		{"two adapters, each of another machine", []fleet.Claim{{MACs: []string{macA}}, {MACs: []string{macB}}}, fleet.Claim{MACs: []string{macA, macB}}},
	} {
		b := newBench(t)
		b.update(func(tx *state.Tx) error { return tx.Settings().Put(fleet.Settings{SharedMACs: []string{macC}}) })
		for _, k := range c.known {
			b.signIn(k)
		}
		for range 4 {
			b.now = b.now.Add(time.Minute)
			if _, err := b.boot(c.claim); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.count(); n > len(c.known)+1 {
			t.Errorf("%s: %d machines became %d devices", c.name, len(c.known)+1, n)
		}
	}
}

// Two machines with one UUID that nobody knows to repeat: the second is taken for the
// first until it signs in, and is itself from then on.
func TestALoaderDoesNotLendItsAddressToAnotherMachine(t *testing.T) {
	b := newBench(t)
	one := b.signIn(fleet.Claim{UUID: uuidA, Serial: "SN-1", Model: "M", MACs: []string{macA}})
	loader := fleet.Claim{UUID: uuidA, MACs: []string{macB}}
	if _, err := b.boot(loader); err != nil {
		t.Fatal(err)
	}
	two := b.signIn(fleet.Claim{UUID: uuidA, Serial: "SN-2", Model: "M", MACs: []string{macB}})
	if one.ID == two.ID {
		t.Fatal("two serial numbers are one device")
	}
	for range 3 {
		b.now = b.now.Add(time.Minute)
		if d, err := b.boot(loader); err != nil || d.ID != two.ID {
			t.Errorf("the loader of %s became %s, %v", two.ID, d.ID, err)
		}
	}
	if n := b.count(); n != 2 {
		t.Errorf("%d devices", n)
	}
}
