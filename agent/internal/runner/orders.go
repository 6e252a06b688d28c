package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// orders holds what the appliance last ordered and what is wrong with the
// connection, and shows both.
type orders struct {
	face Face

	mu        sync.Mutex
	cancelled bool
	paused    bool
	lostSince time.Time
	why       string
	shown     string
	cancel    context.CancelCauseFunc // of the running step
	changed   chan struct{}
}

func newOrders(face Face) *orders { return &orders{face: face, changed: make(chan struct{})} }

// take obeys an answer's orders; the last of pause and continue wins.
func (o *orders) take(list []string) {
	o.mu.Lock()
	for _, order := range list {
		switch order {
		case wire.OrderCancel:
			o.cancelled = true
			if o.cancel != nil {
				o.cancel(errCancelled)
			}
		case wire.OrderPause:
			o.paused = true
		case wire.OrderContinue:
			o.paused = false
		}
	}
	close(o.changed)
	o.changed = make(chan struct{})
	o.mu.Unlock()
	o.show()
}

// lost notes that the appliance does not answer, or (nil) that it does.
func (o *orders) lost(err error) {
	o.mu.Lock()
	if err == nil {
		o.lostSince = time.Time{}
	} else {
		if o.lostSince.IsZero() {
			o.lostSince = time.Now()
		}
		o.why = client.Explain(err)
	}
	o.mu.Unlock()
	o.show()
}

func (o *orders) show() {
	o.mu.Lock()
	text := ""
	switch {
	case !o.lostSince.IsZero():
		text = fmt.Sprintf("No answer from the appliance since %s: %s", o.lostSince.Format("15:04:05"), o.why)
	case o.cancelled:
		text = "Cancelled from the console"
	case o.paused:
		text = "Paused from the console: goes on when continued there"
	}
	same := text == o.shown
	o.shown = text
	o.mu.Unlock()
	if !same {
		o.face.Alert(text)
	}
}

// cancellable returns a context that an order to cancel ends.
func (o *orders) cancellable(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	o.mu.Lock()
	o.cancel = cancel
	if o.cancelled {
		cancel(errCancelled)
	}
	o.mu.Unlock()
	return ctx, func() {
		o.mu.Lock()
		o.cancel = nil
		o.mu.Unlock()
		cancel(nil)
	}
}

// wait holds the run while it is paused and says whether it was cancelled.
func (o *orders) wait(ctx context.Context, r *Reporter) (cancelled bool, err error) {
	for {
		o.mu.Lock()
		cancelled, paused, changed := o.cancelled, o.paused, o.changed
		o.mu.Unlock()
		if cancelled || !paused {
			return cancelled, nil
		}
		r.mu.Lock()
		failed, reported := r.failed, r.changed
		r.mu.Unlock()
		if failed != nil {
			return false, failed
		}
		select {
		case <-changed:
		case <-reported:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
