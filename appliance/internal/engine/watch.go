package engine

import (
	"context"
	"sync"

	"slipway/fleet"
)

// The kinds of updates that are not in the state and so not among its changes.
const (
	UpdateProgress = "progress" // Progress is set
	UpdateLog      = "log"      // new lines: read them with ReadLog
)

// Update tells a watcher of something that happened. Lost means that updates were
// dropped because the watcher was too slow: it should read anew.
type Update struct {
	Kind         string
	DeploymentID string
	Progress     fleet.Progress
	LastLine     int64 // UpdateLog: number of the last line now
	Lost         bool
}

// watcherBuffer is how many updates wait for a slow watcher.
const watcherBuffer = 256

// hub hands updates to watchers and never waits for one of them.
type hub struct {
	mu     sync.Mutex
	subs   map[chan Update]struct{}
	closed bool
}

// Subscribe sends updates until ctx ends or the engine is closed; then the channel
// is closed.
func (e *Engine) Subscribe(ctx context.Context) <-chan Update {
	h := &e.hub
	ch := make(chan Update, watcherBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || ctx.Err() != nil {
		close(ch)
		return ch
	}
	if h.subs == nil {
		h.subs = map[chan Update]struct{}{}
	}
	h.subs[ch] = struct{}{}
	context.AfterFunc(ctx, func() { h.drop(ch) })
	return ch
}

func (h *hub) drop(ch chan Update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[ch]; ok {
		delete(h.subs, ch)
		close(ch)
	}
}

// publish never blocks: the last place of a buffer only ever holds a Lost.
func (h *hub) publish(u Update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		switch free := cap(ch) - len(ch); {
		case free > 1:
			ch <- u
		case free == 1:
			ch <- Update{Lost: true}
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for ch := range h.subs {
		close(ch)
	}
	clear(h.subs)
}
