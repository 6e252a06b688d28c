package netboot

import (
	"net/netip"
	"sync"
	"time"
)

// tftpSlots holds the transfers under way, those acknowledged at least once.
// When all slots are taken, one that has been silent for stalledAfter makes room.
type tftpSlots struct {
	max, perAddress int
	now             func() time.Time

	mu     sync.Mutex
	byPeer map[netip.AddrPort]*tftpTransfer
}

const (
	// stalledAfter is when a transfer may lose its slot: several retransmissions
	// have gone unanswered then.
	stalledAfter = 4 * time.Second
	// repeatWithin is how long the same request from the same port is taken for
	// one that was repeated and overtaken by the acknowledgement.
	repeatWithin = 500 * time.Millisecond
)

func newTFTPSlots(limit, perAddress int, now func() time.Time) *tftpSlots {
	return &tftpSlots{max: limit, perAddress: perAddress, now: now, byPeer: map[netip.AddrPort]*tftpTransfer{}}
}

// admit gives a slot to t, or says no. The evicted transfer no longer holds one
// and must be cancelled by the caller.
func (s *tftpSlots) admit(t *tftpTransfer) (evicted *tftpTransfer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if evicted, ok = s.roomLocked(t.peer); !ok {
		return nil, false
	}
	if evicted != nil {
		delete(s.byPeer, evicted.peer)
	}
	t.startedAt = s.now()
	t.heardAt, t.heard = t.startedAt, 1
	s.byPeer[t.peer] = t
	return evicted, true
}

// room reports whether a transfer to a peer would be admitted now.
func (s *tftpSlots) room(peer netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.roomLocked(peer)
	return ok
}

// roomLocked is admit without its effects.
func (s *tftpSlots) roomLocked(peer netip.AddrPort) (evicted *tftpTransfer, ok bool) {
	own := func(x *tftpTransfer) bool { return x.peer.Addr() == peer.Addr() }
	anyone := func(*tftpTransfer) bool { return true }
	switch {
	case s.count(own) >= s.perAddress:
		evicted = s.stalled(own)
	case len(s.byPeer) >= s.max:
		evicted = s.stalled(anyone)
	default:
		return nil, true
	}
	return evicted, evicted != nil
}

// stalled finds the transfer silent for longest, nil when all are alive.
func (s *tftpSlots) stalled(among func(*tftpTransfer) bool) (found *tftpTransfer) {
	for _, t := range s.byPeer {
		if among(t) && s.now().Sub(t.heardAt) > stalledAfter && (found == nil || t.heardAt.Before(found.heardAt)) {
			found = t
		}
	}
	return found
}

func (s *tftpSlots) count(among func(*tftpTransfer) bool) (n int) {
	for _, t := range s.byPeer {
		if among(t) {
			n++
		}
	}
	return n
}

// find returns the transfer of a peer and notes that it was heard of.
func (s *tftpSlots) find(peer netip.AddrPort) *tftpTransfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byPeer[peer]
	if t != nil {
		t.heardAt = s.now()
		t.heard++
	}
	return t
}

// requested is called for each new request. It returns the peer's transfer when
// that is over, because the client asks for something from the same port
// (tftp-hpa does); repeated says that the request is the one being served. at is when it
// came in: a repetition may have waited in the queue while the first was answered.
func (s *tftpSlots) requested(peer netip.AddrPort, r tftpRequest, at time.Time) (over *tftpTransfer, repeated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byPeer[peer]
	if t == nil {
		return nil, false
	}
	if t.request == r && (at.Before(t.startedAt) || t.heard <= 1 && s.now().Sub(t.startedAt) < repeatWithin) {
		return nil, true
	}
	delete(s.byPeer, peer)
	return t, false
}

// release gives the slot back; it may have been taken already.
func (s *tftpSlots) release(t *tftpTransfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byPeer[t.peer] == t {
		delete(s.byPeer, t.peer)
	}
}

// all returns the transfers under way.
func (s *tftpSlots) all() (out []*tftpTransfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.byPeer {
		out = append(out, t)
	}
	return out
}
