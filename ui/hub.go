package ui

import (
	"container/list"
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
)

// hubMemory is how many things that changed are remembered. A browser that was
// away for longer loads its page anew.
const hubMemory = 8192

type changeKey struct{ kind, id string }

type changed struct {
	key changeKey
	seq uint64
}

// hub remembers which things changed and in what order, each thing once. It
// holds no values: a stream asks the backend when it sends.
type hub struct {
	epoch string // of this start; positions of another start mean nothing

	mu    sync.Mutex
	seq   uint64
	floor uint64     // changes up to here may have been forgotten
	order *list.List // of changed, oldest first
	at    map[changeKey]*list.Element
	wake  chan struct{} // closed and replaced at each change
	open  int           // streams reading now
}

func newHub() *hub {
	return &hub{epoch: rand.Text()[:10], order: list.New(), at: map[changeKey]*list.Element{}, wake: make(chan struct{})}
}

// run takes changes until the channel closes or ctx ends.
func (h *hub) run(ctx context.Context, changes <-chan Change) {
	for {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-changes:
			if !ok {
				return
			}
			h.add(c)
		}
	}
}

func (h *hub) add(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	if c.Lost {
		h.floor = h.seq
		h.order.Init()
		clear(h.at)
	} else {
		key := changeKey{c.Kind, c.ID}
		if e, ok := h.at[key]; ok {
			h.order.Remove(e)
		}
		h.at[key] = h.order.PushBack(changed{key, h.seq})
		h.trim()
	}
	close(h.wake)
	h.wake = make(chan struct{})
}

func (h *hub) trim() {
	for h.order.Len() > hubMemory {
		front := h.order.Front()
		old := h.order.Remove(front).(changed)
		delete(h.at, old.key)
		h.floor = old.seq
	}
}

// position is where the stream stands now, as text for a page or an event id.
func (h *hub) position() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.epoch + "-" + strconv.FormatUint(h.seq, 10)
}

// parse reads a position; false when it is of another start or nonsense.
func (h *hub) parse(position string) (uint64, bool) {
	epoch, rest, ok := strings.Cut(position, "-")
	n, err := strconv.ParseUint(rest, 10, 64)
	return n, ok && err == nil && epoch == h.epoch
}

// since returns what changed after that position, oldest first, the position
// reached, and a channel that closes at the next change. lost means that some
// of it is no longer known.
func (h *hub) since(after uint64) (keys []changeKey, now uint64, wake <-chan struct{}, lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after < h.floor || after > h.seq {
		return nil, h.seq, h.wake, true
	}
	for e := h.order.Back(); e != nil; e = e.Prev() {
		c := e.Value.(changed)
		if c.seq <= after {
			break
		}
		keys = append(keys, c.key)
	}
	for i, j := 0, len(keys)-1; i < j; i, j = i+1, j-1 {
		keys[i], keys[j] = keys[j], keys[i]
	}
	return keys, h.seq, h.wake, false
}

// enter counts a stream in; false when most are open already.
func (h *hub) enter(most int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open >= most {
		return false
	}
	h.open++
	return true
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
}
