package netboot

import "sync"

// requestStack holds requests between the reader and the starters, newest
// first: in a flood the newest is the likeliest to have someone waiting, while
// the oldest have been repeated or abandoned. Beyond its limit the oldest goes.
type requestStack struct {
	limit int

	mu     sync.Mutex
	ready  sync.Cond
	items  []datagram // a ring: oldest at first
	first  int
	count  int
	closed bool
}

func newRequestStack(limit int) *requestStack {
	s := &requestStack{limit: limit, items: make([]datagram, limit)}
	s.ready.L = &s.mu
	return s
}

// push adds a request and reports whether the oldest had to go for it.
func (s *requestStack) push(d datagram) (dropped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == s.limit {
		s.items[s.first] = datagram{}
		s.first = (s.first + 1) % s.limit
		s.count--
		dropped = true
	}
	s.items[(s.first+s.count)%s.limit] = d
	s.count++
	s.ready.Signal()
	return dropped
}

// pop takes the newest request, waiting for one; false when the stack is closed.
func (s *requestStack) pop() (datagram, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.count == 0 && !s.closed {
		s.ready.Wait()
	}
	if s.closed {
		return datagram{}, false
	}
	s.count--
	i := (s.first + s.count) % s.limit
	d := s.items[i]
	s.items[i] = datagram{}
	return d, true
}

// close ends all pops; what still waits is dropped.
func (s *requestStack) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.ready.Broadcast()
}
