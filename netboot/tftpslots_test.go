package netboot

import (
	"net/netip"
	"testing"
	"time"
)

// clock is a time that the test moves.
type clock struct{ t time.Time }

func newClock() *clock                   { return &clock{time.Unix(1_000_000, 0)} }
func (c *clock) now() time.Time          { return c.t }
func (c *clock) forward(d time.Duration) { c.t = c.t.Add(d) }

func pendingOf(peer string) *pendingRequest {
	return &pendingRequest{peer: netip.MustParseAddrPort(peer), request: tftpRequest{name: "a"}, first: []byte(peer), expect: 1}
}

func TestPendingMakesRoom(t *testing.T) {
	p := newPendingTable(3, 2, newClock().now)
	known := func(peer string) bool { return p.find(netip.MustParseAddrPort(peer), 1) != nil }
	add := func(peer string, evicted int) {
		t.Helper()
		if n := p.add(pendingOf(peer)); n != evicted {
			t.Errorf("%s: %d evicted, want %d", peer, n, evicted)
		}
	}
	add("192.0.2.1:1", 0)
	add("192.0.2.1:2", 0)
	add("192.0.2.1:2", 0) // repeated
	add("192.0.2.1:3", 1) // its own oldest
	add("192.0.2.2:1", 0)
	add("192.0.2.3:1", 1) // the oldest of all
	for peer, want := range map[string]bool{"192.0.2.1:1": false, "192.0.2.1:2": false, "192.0.2.1:3": true, "192.0.2.2:1": true, "192.0.2.3:1": true} {
		if known(peer) != want {
			t.Errorf("%s known: %v", peer, !want)
		}
	}
	p.remove(netip.MustParseAddrPort("192.0.2.2:1"))
	p.remove(netip.MustParseAddrPort("192.0.2.2:1"))
	if p.len() != 2 || len(p.byAddress) != 2 || len(p.byPeer) != 2 {
		t.Errorf("%d, %d addresses, %d peers", p.len(), len(p.byAddress), len(p.byPeer))
	}
}

func TestPendingExpectsItsBlock(t *testing.T) {
	p := newPendingTable(3, 2, newClock().now)
	p.add(pendingOf("192.0.2.1:1"))
	for block, want := range map[uint16]bool{0: false, 1: true, 2: false} {
		if got := p.find(netip.MustParseAddrPort("192.0.2.1:1"), block) != nil; got != want {
			t.Errorf("block %d: %v", block, got)
		}
	}
}

func TestPendingResends(t *testing.T) {
	c := newClock()
	p := newPendingTable(10, 10, c.now)
	p.add(pendingOf("192.0.2.1:1"))
	sent := 1
	for range 40 { // ten seconds
		c.forward(tftpRetransmit / 4)
		sent += len(p.due())
	}
	if sent != tftpRetries || p.len() != 0 {
		t.Errorf("sent %d times, %d left", sent, p.len())
	}
}

func admitted(t *testing.T, s *tftpSlots, peer string, evicts *tftpTransfer) *tftpTransfer {
	t.Helper()
	x := &tftpTransfer{peer: netip.MustParseAddrPort(peer), request: tftpRequest{name: "a"}}
	evicted, ok := s.admit(x)
	if !ok || evicted != evicts {
		t.Fatalf("%s: admitted %v, evicted %v, want %v", peer, ok, evicted, evicts)
	}
	return x
}

func refusedSlot(t *testing.T, s *tftpSlots, peer string) {
	t.Helper()
	if evicted, ok := s.admit(&tftpTransfer{peer: netip.MustParseAddrPort(peer)}); ok || evicted != nil {
		t.Fatalf("%s was admitted", peer)
	}
}

func TestSlotsLimits(t *testing.T) {
	c := newClock()
	s := newTFTPSlots(3, 2, c.now)
	other := admitted(t, s, "192.0.2.9:1", nil)
	a := admitted(t, s, "192.0.2.1:1", nil)
	b := admitted(t, s, "192.0.2.1:2", nil)
	refusedSlot(t, s, "192.0.2.1:3") // two for one address
	refusedSlot(t, s, "192.0.2.2:1") // three in all
	c.forward(stalledAfter + time.Second)
	if s.find(b.peer) != b {
		t.Fatal("b is lost")
	}
	x := admitted(t, s, "192.0.2.1:3", a) // its own stalled one, not that of another
	admitted(t, s, "192.0.2.2:1", other)
	refusedSlot(t, s, "192.0.2.3:1")
	s.release(a) // late, changes nothing
	if len(s.all()) != 3 {
		t.Errorf("%d transfers", len(s.all()))
	}
	s.release(x)
	admitted(t, s, "192.0.2.3:1", nil)
}

func TestSlotsRequestedAgain(t *testing.T) {
	c := newClock()
	s := newTFTPSlots(3, 2, c.now)
	a := admitted(t, s, "192.0.2.1:1", nil)
	if over, repeated := s.requested(a.peer, a.request, c.now()); over != nil || !repeated {
		t.Errorf("overtaken by its acknowledgement: over %v, repeated %v", over, repeated)
	}
	if over, _ := s.requested(a.peer, tftpRequest{name: "b"}, c.now()); over != a {
		t.Error("another file from the same port does not end the transfer")
	}
	a = admitted(t, s, "192.0.2.1:1", nil)
	s.find(a.peer)
	if over, _ := s.requested(a.peer, a.request, c.now()); over != a {
		t.Error("the same file once more from the same port does not end the transfer")
	}
	if over, repeated := s.requested(a.peer, a.request, c.now()); over != nil || repeated {
		t.Error("a new request is taken for an old one")
	}
	before := c.now()
	c.forward(3 * time.Second)
	a = admitted(t, s, "192.0.2.1:1", nil)
	s.find(a.peer)
	if over, repeated := s.requested(a.peer, a.request, before); over != nil || !repeated {
		t.Errorf("a repetition that waited in the queue: over %v, repeated %v", over, repeated)
	}
}
