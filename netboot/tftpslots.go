package netboot

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// tftpSlots admits transfers. A request costs its sender nothing and may carry
// a forged address, so a transfer proves itself by its first acknowledgement;
// when all slots are taken, the oldest that never did makes room, and after
// these one that has been silent for stalledAfter.
type tftpSlots struct {
	max, perAddress int
	now             func() time.Time

	mu     sync.Mutex
	active []*tftpTransfer // in order of their start
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
		v := s.victim(func(x *tftpTransfer) bool { return x.peer.Addr() == t.peer.Addr() })
		if v == nil {
			return evicted, false, false
		}
		s.remove(v)
		evicted = append(evicted, v)
	}
	if len(s.active) >= s.max {
		v := s.victim(func(*tftpTransfer) bool { return true })
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

// victim finds the transfer that makes room, nil when all are alive.
func (s *tftpSlots) victim(match func(*tftpTransfer) bool) *tftpTransfer {
	var stalled *tftpTransfer
	for _, t := range s.active {
		if !match(t) {
			continue
		}
		if !t.acked {
			return t
		}
		if s.now().Sub(t.lastHeard) > stalledAfter && (stalled == nil || t.lastHeard.Before(stalled.lastHeard)) {
			stalled = t
		}
	}
	return stalled
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
