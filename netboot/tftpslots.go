package netboot

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// tftpSlots admits transfers. A request costs its sender nothing and may carry
// a forged address, so a transfer proves itself by its first acknowledgement;
// when all slots are taken, the one that never did and whose request is oldest
// makes room, and after these one that has been silent for stalledAfter. A
// newcomer that is older still (see requestStack) is the one to go.
type tftpSlots struct {
	max, perAddress int
	now             func() time.Time

	mu     sync.Mutex
	active []*tftpTransfer
}

// stalledAfter is when an acknowledged transfer may lose its slot: several
// retransmissions have gone unanswered then.
const stalledAfter = 4 * time.Second

// admit gives a slot to t, or says no. The evicted transfers no longer hold a
// slot and must be cancelled by the caller. A repeated request of a client that
// is being served already is refused with duplicate set: its answer is on the way.
func (s *tftpSlots) admit(t *tftpTransfer) (evicted []*tftpTransfer, duplicate, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byPeer(t.peer); old != nil {
		if !old.acked && old.request == t.request {
			return nil, true, false
		}
		// The client has moved on and reuses its port (tftp-hpa does).
		s.remove(old)
		evicted = append(evicted, old)
	}
	if s.countAddress(t.peer.Addr()) >= s.perAddress {
		v := s.victim(t, func(x *tftpTransfer) bool { return x.peer.Addr() == t.peer.Addr() })
		if v == nil {
			return evicted, false, false
		}
		s.remove(v)
		evicted = append(evicted, v)
	}
	if len(s.active) >= s.max {
		v := s.victim(t, func(*tftpTransfer) bool { return true })
		if v == nil {
			return evicted, false, false
		}
		s.remove(v)
		evicted = append(evicted, v)
	}
	t.lastHeard = s.now()
	s.active = append(s.active, t)
	return evicted, false, true
}

// victim finds the transfer that makes room for t, nil when none should.
func (s *tftpSlots) victim(t *tftpTransfer, match func(*tftpTransfer) bool) *tftpTransfer {
	var oldest, stalled *tftpTransfer
	for _, x := range s.active {
		switch {
		case !match(x):
		case !x.acked:
			if oldest == nil || x.number < oldest.number {
				oldest = x
			}
		case s.now().Sub(x.lastHeard) > stalledAfter:
			if stalled == nil || x.lastHeard.Before(stalled.lastHeard) {
				stalled = x
			}
		}
	}
	switch {
	case oldest == nil:
		return stalled
	case oldest.number > t.number:
		return nil
	}
	return oldest
}

// heard notes an acknowledgement.
func (s *tftpSlots) heard(t *tftpTransfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.acked, t.lastHeard = true, s.now()
}

// release gives the slot back; it may have been taken already.
func (s *tftpSlots) release(t *tftpTransfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(t)
}

// all returns the transfers under way.
func (s *tftpSlots) all() []*tftpTransfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.active)
}

func (s *tftpSlots) remove(t *tftpTransfer) {
	if i := slices.Index(s.active, t); i >= 0 {
		s.active = slices.Delete(s.active, i, i+1)
	}
}

func (s *tftpSlots) byPeer(p netip.AddrPort) *tftpTransfer {
	for _, t := range s.active {
		if t.peer == p {
			return t
		}
	}
	return nil
}

func (s *tftpSlots) countAddress(a netip.Addr) int {
	n := 0
	for _, t := range s.active {
		if t.peer.Addr() == a {
			n++
		}
	}
	return n
}
