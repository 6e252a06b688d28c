package auth

import (
	"context"
	"errors"
	"sync"
)

// hashesAtOnce is how many argon2id runs there are at most at a time, over all
// kinds of sign-in. It bounds memory and leaves processor time for deployments.
const hashesAtOnce = 2

// maxQueue is how many attempts wait for a run at most.
const maxQueue = 256

var errBusy = errors.New("too many attempts are waiting")

// gate lets a few callers through at a time. Those who failed least go first:
// an honest attempt passes the whole queue of a guesser.
type gate struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter
	seq     uint64
	queue   int // most waiters
}

type waiter struct {
	score float64 // recent failures from the caller's surroundings
	seq   uint64
	turn  chan error // buffered; nil: go ahead, errBusy: pushed out
}

func (w *waiter) before(o *waiter) bool {
	if w.score != o.score {
		return w.score < o.score
	}
	return w.seq < o.seq
}

func newGate() *gate { return &gate{free: hashesAtOnce, queue: maxQueue} }

// enter waits for a turn. After a nil answer the caller must call leave. It
// returns errBusy when the queue is full of callers who failed less.
func (g *gate) enter(ctx context.Context, score float64) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	g.seq++
	w := &waiter{score: score, seq: g.seq, turn: make(chan error, 1)}
	g.waiting = append(g.waiting, w)
	if len(g.waiting) > g.queue {
		g.remove(g.pick(false)).turn <- errBusy
	}
	g.mu.Unlock()
	select {
	case err := <-w.turn:
		return err
	case <-ctx.Done():
		return g.giveUp(w, ctx.Err())
	}
}

// giveUp takes a waiter out; a turn that came at the same moment is passed on.
func (g *gate) giveUp(w *waiter, cause error) error {
	g.mu.Lock()
	for i, o := range g.waiting {
		if o == w {
			g.remove(i)
			g.mu.Unlock()
			return cause
		}
	}
	g.mu.Unlock()
	if err := <-w.turn; err == nil {
		g.leave()
	}
	return cause
}

// leave ends a turn and gives it to the waiter who failed least.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.free++
		return
	}
	g.remove(g.pick(true)).turn <- nil
}

// pick finds the first waiter in order, or the last. The caller holds mu.
func (g *gate) pick(first bool) int {
	found := 0
	for i, w := range g.waiting {
		if w != g.waiting[found] && w.before(g.waiting[found]) == first {
			found = i
		}
	}
	return found
}

func (g *gate) remove(i int) *waiter {
	w := g.waiting[i]
	last := len(g.waiting) - 1
	g.waiting[i] = g.waiting[last]
	g.waiting[last] = nil
	g.waiting = g.waiting[:last]
	return w
}
