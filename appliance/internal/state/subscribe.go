package state

import (
	"context"
	"slices"
	"sync"
)

// Change tells a subscriber that a record was written or removed. Lost means that
// the subscriber was too slow and changes were dropped: it should read anew.
type Change struct {
	Table   string
	Key     string
	Deleted bool
	Lost    bool
}

// subscriberBuffer is how many changes wait for a slow reader.
const subscriberBuffer = 256

// hub hands committed changes to subscribers and never waits for one of them.
type hub struct {
	mu     sync.Mutex
	subs   map[*subscriber]struct{}
	closed bool
}

type subscriber struct {
	ch     chan Change
	tables []string // empty: all
}

func newHub() *hub { return &hub{subs: map[*subscriber]struct{}{}} }

func (h *hub) add(ctx context.Context, tables []string) <-chan Change {
	s := &subscriber{ch: make(chan Change, subscriberBuffer), tables: tables}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || ctx.Err() != nil {
		close(s.ch)
		return s.ch
	}
	h.subs[s] = struct{}{}
	context.AfterFunc(ctx, func() { h.drop(s) })
	return s.ch
}

func (h *hub) drop(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[s]; ok {
		delete(h.subs, s)
		close(s.ch)
	}
}

func (h *hub) publish(changes []Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		for _, c := range changes {
			if c.Lost || len(s.tables) == 0 || slices.Contains(s.tables, c.Table) {
				s.send(c)
			}
		}
	}
}

// send never blocks. The last place of the buffer only ever holds a Lost: while it
// is taken, what is dropped comes before that Lost in the reader's eyes.
func (s *subscriber) send(c Change) {
	switch free := cap(s.ch) - len(s.ch); {
	case free > 1:
		s.ch <- c
	case free == 1:
		s.ch <- Change{Lost: true}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		close(s.ch)
	}
	clear(h.subs)
}

// Subscribe reports every committed change of the named tables, or of all tables
// when none is named, until ctx ends or the store closes; then the channel is
// closed. Changes of one record arrive in the order they were committed. A reader
// that falls behind gets a Change with Lost set in place of what it missed.
func (s *Store) Subscribe(ctx context.Context, tables ...string) <-chan Change {
	return s.hub.add(ctx, tables)
}
