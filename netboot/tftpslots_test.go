package netboot

import (
	"net/netip"
	"testing"
	"time"
)

// slotsAt returns slots with a clock that the test moves.
func slotsAt(limit, perAddress int) (*tftpSlots, *time.Time) {
	now := time.Unix(1_000_000, 0)
	return &tftpSlots{max: limit, perAddress: perAddress, now: func() time.Time { return now }}, &now
}

var transferNumber uint64

func transfer(peer string) *tftpTransfer {
	transferNumber++
	return &tftpTransfer{number: transferNumber, peer: netip.MustParseAddrPort(peer), request: tftpRequest{name: "a"}}
}

func mustAdmit(t *testing.T, s *tftpSlots, x *tftpTransfer, want ...*tftpTransfer) {
	t.Helper()
	evicted, _, ok := s.admit(x)
	if !ok || len(evicted) != len(want) {
		t.Fatalf("%s: admitted %v, %d evicted, want %d", x.peer, ok, len(evicted), len(want))
	}
	for i := range want {
		if evicted[i] != want[i] {
			t.Fatalf("%s: evicted %s, want %s", x.peer, evicted[i].peer, want[i].peer)
		}
	}
}

func TestSlotsEvictOldestUnacknowledged(t *testing.T) {
	s, _ := slotsAt(3, 3)
	a, b, c := transfer("192.0.2.1:1"), transfer("192.0.2.2:1"), transfer("192.0.2.3:1")
	mustAdmit(t, s, a)
	mustAdmit(t, s, b)
	mustAdmit(t, s, c)
	s.heard(a)
	mustAdmit(t, s, transfer("192.0.2.4:1"), b) // a is alive
	mustAdmit(t, s, transfer("192.0.2.5:1"), c)
}

func TestSlotsFullOfLivingTransfers(t *testing.T) {
	s, now := slotsAt(2, 2)
	a, b := transfer("192.0.2.1:1"), transfer("192.0.2.2:1")
	for _, x := range []*tftpTransfer{a, b} {
		mustAdmit(t, s, x)
		s.heard(x)
	}
	if evicted, duplicate, ok := s.admit(transfer("192.0.2.3:1")); ok || duplicate || len(evicted) != 0 {
		t.Fatal("a living transfer was evicted")
	}
	*now = now.Add(stalledAfter + time.Second)
	s.heard(a)
	mustAdmit(t, s, transfer("192.0.2.3:1"), b) // b went silent
}

func TestSlotsPerAddress(t *testing.T) {
	s, _ := slotsAt(10, 2)
	other := transfer("192.0.2.9:1") // the oldest of all
	a, b := transfer("192.0.2.1:1"), transfer("192.0.2.1:2")
	mustAdmit(t, s, other)
	mustAdmit(t, s, a)
	mustAdmit(t, s, b)
	mustAdmit(t, s, transfer("192.0.2.1:3"), a) // its own, not the older one of another
	s.heard(b)
	for i := range 5 {
		s.admit(transfer(netip.AddrPortFrom(b.peer.Addr(), uint16(10+i)).String()))
	}
	if s.byPeer(b.peer) == nil || s.byPeer(other.peer) == nil || s.countAddress(b.peer.Addr()) != 2 {
		t.Error("the wrong transfer made room")
	}
}

// Requests are taken newest first; what was overtaken must not push out the
// newer one that is about to be acknowledged.
func TestSlotsOvertakenRequest(t *testing.T) {
	s, _ := slotsAt(2, 2)
	late, a, b := transfer("192.0.2.1:1"), transfer("192.0.2.1:2"), transfer("192.0.2.1:3")
	mustAdmit(t, s, b)
	mustAdmit(t, s, a)
	if evicted, _, ok := s.admit(late); ok || len(evicted) != 0 {
		t.Error("an older request pushed out a newer one")
	}
	mustAdmit(t, s, transfer("192.0.2.1:4"), a)
}

func TestSlotsRepeatedRequest(t *testing.T) {
	s, _ := slotsAt(10, 10)
	a := transfer("192.0.2.1:1")
	mustAdmit(t, s, a)
	if _, duplicate, ok := s.admit(transfer("192.0.2.1:1")); ok || !duplicate {
		t.Error("a repeated request started a second transfer")
	}
	next := transfer("192.0.2.1:1")
	next.request.name = "b"
	mustAdmit(t, s, next, a) // another file from the same port
	s.heard(next)
	mustAdmit(t, s, transfer("192.0.2.1:1"), next) // the same again after it was served
	s.release(next)                                // late, changes nothing
	if len(s.all()) != 1 {
		t.Errorf("%d transfers", len(s.all()))
	}
}

func TestRequestStack(t *testing.T) {
	s := newRequestStack(3)
	for i, want := range []bool{false, false, false, true, true} {
		if got := s.push(datagram{ifIndex: i}); got != want {
			t.Errorf("push %d dropped %v", i, got)
		}
	}
	for _, want := range []int{4, 3, 2} {
		if d, ok := s.pop(); !ok || d.ifIndex != want {
			t.Errorf("popped %d, %v; want %d", d.ifIndex, ok, want)
		}
	}
	done := make(chan bool)
	go func() { _, ok := s.pop(); done <- ok }()
	s.close()
	if <-done {
		t.Error("a closed stack yielded a request")
	}
}
