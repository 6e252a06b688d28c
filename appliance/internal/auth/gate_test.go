package auth

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// queued waits until n callers stand in the gate's queue.
func queued(t *testing.T, g *gate, n int) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		g.mu.Lock()
		have := len(g.waiting)
		g.mu.Unlock()
		if have == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d in the queue, want %d", have, n)
		}
		time.Sleep(time.Millisecond)
	}
}

func fullGate(t *testing.T) *gate {
	t.Helper()
	g := newGate()
	for range hashesAtOnce {
		if err := g.enter(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func TestAtMostTwoAtATime(t *testing.T) {
	g := newGate()
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := g.enter(t.Context(), 0); err != nil {
				t.Error(err)
				return
			}
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(100 * time.Microsecond) // long enough to overlap
			now.Add(-1)
			g.leave()
		})
	}
	wg.Wait()
	if most.Load() != hashesAtOnce {
		t.Errorf("%d at a time, want %d", most.Load(), hashesAtOnce)
	}
	if g.free != hashesAtOnce || len(g.waiting) != 0 {
		t.Errorf("afterwards %d are free and %d wait", g.free, len(g.waiting))
	}
}

func TestWhoFailedLeastGoesFirst(t *testing.T) {
	g := fullGate(t)
	order := make(chan float64, 10)
	for i, score := range []float64{9, 4, 0, 7, -1} {
		go func() {
			if g.enter(t.Context(), score) == nil {
				order <- score
			}
		}()
		queued(t, g, i+1)
	}
	for _, want := range []float64{-1, 0, 4, 7, 9} {
		g.leave()
		if have := <-order; have != want {
			t.Fatalf("%v went, want %v", have, want)
		}
	}
}

func TestFullQueuePushesTheWorstOut(t *testing.T) {
	g := fullGate(t)
	g.queue = 3
	out := make(chan float64, 10)
	enter := func(score float64) {
		if errors.Is(g.enter(t.Context(), score), errBusy) {
			out <- score
		}
	}
	for i := range 3 {
		go enter(float64(i + 1))
		queued(t, g, i+1)
	}
	go enter(0) // better than all: the worst goes
	if have := <-out; have != 3 {
		t.Errorf("%v was pushed out, want 3", have)
	}
	go enter(8) // worse than all: it goes itself
	if have := <-out; have != 8 {
		t.Errorf("%v was pushed out, want 8", have)
	}
	for range 3 + hashesAtOnce {
		g.leave()
	}
	queued(t, g, 0)
}

// Callers that give up at the moment of their turn must not lose it for all.
func TestGivingUpLosesNoTurn(t *testing.T) {
	g := newGate()
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*100*time.Microsecond)
			defer cancel()
			if g.enter(ctx, float64(i%3)) == nil {
				time.Sleep(50 * time.Microsecond)
				g.leave()
			}
		})
	}
	wg.Wait()
	if g.free != hashesAtOnce || len(g.waiting) != 0 {
		t.Errorf("afterwards %d are free and %d wait", g.free, len(g.waiting))
	}
}

// The same, made to happen: the turn came before the giving up was noticed.
func TestGivingUpAfterTheTurnCame(t *testing.T) {
	g := fullGate(t)
	w := &waiter{turn: make(chan error, 1)}
	g.waiting = append(g.waiting, w)
	g.leave()
	if err := g.giveUp(w, context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if g.free != 1 {
		t.Errorf("%d are free, want 1: the turn was lost", g.free)
	}
}
