package devices

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func numberedMAC(i int) string {
	return fmt.Sprintf("52:54:01:%02x:%02x:%02x", i>>16&255, i>>8&255, i&255)
}

// flood makes n machines fetch their script, a thousand a second, and returns
// how many were recorded.
func (b *bench) flood(from, n int, addr func(i int) netip.Addr) (recorded int) {
	b.t.Helper()
	for i := from; i < from+n; i++ {
		b.now = b.now.Add(time.Millisecond)
		_, err := b.Resolve(b.t.Context(), fleet.Claim{MACs: []string{numberedMAC(i)}}, Seen{Addr: addr(i)})
		switch {
		case err == nil:
			recorded++
		case !errors.Is(err, ErrTooMany):
			b.t.Fatal(err)
		}
	}
	return recorded
}

func oneAddress(int) netip.Addr { return netip.MustParseAddr("192.0.2.7") }
func ownAddress(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestStrangersAreRateLimited(t *testing.T) {
	b := newBench(t)
	if n := b.flood(0, 500, oneAddress); n != addressBurst {
		t.Errorf("%d of one address recorded, want %d", n, addressBurst)
	}
	if n := b.flood(1000, 1000, ownAddress); n > intakeBurst || n < intakeBurst-addressBurst {
		t.Errorf("%d of many addresses recorded, want about %d", n, intakeBurst)
	}
	// Those recorded are still served from their record, and a sign-in is not held up.
	if _, err := b.boot(fleet.Claim{MACs: []string{numberedMAC(0)}}); err != nil {
		t.Error(err)
	}
	b.signIn(fleet.Claim{UUID: uuidA, MACs: []string{macA}})
	b.now = b.now.Add(intakeBurst * time.Second)
	if n := b.flood(5000, 100, ownAddress); n != 100 {
		t.Errorf("%d of 100 recorded after a pause", n)
	}
}

// The number of strangers is bounded: the ones not seen for longest leave, but
// no device that anyone did something with, and none seen within the hour.
func TestStrangersMakeRoom(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MaxStrangers = 10 })
	signedIn := b.signIn(fleet.Claim{UUID: uuidA, MACs: []string{macA}})
	b.update(func(tx *state.Tx) error {
		return tx.Tokens().Put(fleet.Token{Hash: "h", ID: "t", Kind: fleet.TokenDevice, DeviceID: signedIn.ID})
	})
	if n := b.flood(0, 15, ownAddress); n != 10 {
		t.Fatalf("%d recorded, want 10", n)
	}
	named, err := b.Get(t.Context(), numberedMAC(3))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Rename(t.Context(), named.ID, "kiosk"); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(strangerKept + time.Minute)
	if _, err := b.boot(fleet.Claim{MACs: []string{numberedMAC(5)}}); err != nil { // this one is still around
		t.Fatal(err)
	}
	if n := b.flood(100, 30, ownAddress); n != 9 {
		t.Errorf("%d newcomers recorded, want 9", n)
	}
	if n := b.count(); n != 12 { // 10 strangers, the named one, the signed-in one
		t.Errorf("%d devices", n)
	}
	for _, key := range []string{numberedMAC(3), numberedMAC(5), macA} {
		if _, err := b.Get(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, key := range []string{numberedMAC(0), numberedMAC(9)} {
		if _, err := b.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s should have left: %v", key, err)
		}
	}
}

// The memory of addresses is bounded too.
func TestIntakeForgetsAddresses(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	i := newIntake(1, func() time.Time { return now })
	i.all.size, i.all.tokens = 1e9, 1e9
	for n := range 3 * maxIntakeAddresses {
		i.take(ownAddress(n))
	}
	if len(i.addresses) > maxIntakeAddresses {
		t.Errorf("%d addresses kept", len(i.addresses))
	}
	now = now.Add(time.Hour)
	if !i.take(ownAddress(1 << 20)) {
		t.Error("a new address is refused although the others are as good as new")
	}
}
