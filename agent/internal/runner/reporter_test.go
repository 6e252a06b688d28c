package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// api is an appliance in memory that can be away.
type api struct {
	mu     sync.Mutex
	down   bool
	noLogs bool // its log cannot be written
	full   bool
	kept   int64
	events []wire.Event
	lines  []wire.LogLine
	calls  int
	prog   []wire.Progress
	err    error
}

func (a *api) Events(_ context.Context, _ string, in wire.EventBatch) (wire.EventAnswer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.err != nil {
		return wire.EventAnswer{}, a.err
	}
	if a.down {
		return wire.EventAnswer{}, errors.New("no route")
	}
	if in.Progress != nil {
		a.prog = append(a.prog, *in.Progress)
	}
	for _, e := range in.Events {
		if e.Number == a.kept+1 {
			a.kept++
			a.events = append(a.events, e)
		}
	}
	return wire.EventAnswer{Kept: a.kept}, nil
}

func (a *api) Logs(_ context.Context, _ string, in wire.LogBatch) (wire.LogAnswer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return wire.LogAnswer{}, errors.New("no route")
	}
	if a.noLogs {
		return wire.LogAnswer{}, &client.Error{Status: http.StatusInsufficientStorage}
	}
	a.lines = append(a.lines, in.Lines...)
	return wire.LogAnswer{Kept: in.Lines[len(in.Lines)-1].Number, Full: a.full}, nil
}

func (a *api) set(fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn()
}

func reporting(t *testing.T, a *api, fn func(t *testing.T, r *Reporter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := NewReporter(a, "d", 1, time.Now, func([]string) {}, func(error) {})
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		fn(t, r)
		cancel()
		<-done
	})
}

func TestEventsAreKeptWhileTheApplianceIsAway(t *testing.T) {
	a := &api{down: true}
	reporting(t, a, func(t *testing.T, r *Reporter) {
		for range 450 {
			r.Event(wire.Event{Kind: wire.EventVariables})
		}
		time.Sleep(10 * time.Minute)
		calls := 0
		a.set(func() { calls = a.calls })
		if calls < 30 || calls > 200 {
			t.Errorf("%d calls in ten minutes of silence", calls)
		}
		a.set(func() { a.down = false })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Flush(ctx); err != nil {
			t.Error(err)
		}
		a.set(func() {
			if a.kept != 450 || len(a.events) != 450 {
				t.Errorf("kept %d of %d", a.kept, len(a.events))
			}
		})
	})
}

func TestHeartbeatsAndProgress(t *testing.T) {
	a := &api{}
	reporting(t, a, func(t *testing.T, r *Reporter) {
		time.Sleep(time.Minute + time.Second)
		a.set(func() {
			if a.calls < 12 || a.calls > 14 {
				t.Errorf("%d heartbeats in a minute", a.calls)
			}
		})
		r.Progress(wire.Progress{Path: "x", Percent: 40})
		r.Progress(wire.Progress{Path: "x", Percent: 50})
		time.Sleep(heartbeat + time.Second)
		a.set(func() {
			if len(a.prog) != 1 || a.prog[0].Percent != 50 {
				t.Errorf("progress %v", a.prog)
			}
		})
	})
}

func TestLogLinesAreBounded(t *testing.T) {
	a := &api{down: true}
	reporting(t, a, func(t *testing.T, r *Reporter) {
		for range 20000 {
			r.Log("info", "x", strings.Repeat("a", 2000))
		}
		r.mu.Lock()
		kept := r.logBytes
		r.mu.Unlock()
		if kept > maxLogBytes {
			t.Errorf("%d bytes are kept", kept)
		}
		a.set(func() { a.down = false })
		time.Sleep(time.Minute)
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.lines) == 0 || !strings.Contains(a.lines[0].Text, "lines were left out here") {
			t.Fatalf("%d lines came", len(a.lines))
		}
		if last := a.lines[len(a.lines)-1]; last.Number != 20000 {
			t.Errorf("the newest line is number %d", last.Number)
		}
	})
}

// Lines that go in several goes, with failed reports in between, are all told.
func TestAllLinesLeftOutAreTold(t *testing.T) {
	a := &api{noLogs: true}
	reporting(t, a, func(t *testing.T, r *Reporter) {
		const goes, each = 3, 20000
		for range goes {
			for range each {
				r.Log("info", "x", strings.Repeat("a", 2000))
			}
			time.Sleep(time.Minute)
		}
		a.set(func() { a.noLogs = false })
		time.Sleep(time.Minute)
		r.mu.Lock()
		left := r.logBytes
		r.mu.Unlock()
		if left != 0 {
			t.Errorf("%d bytes count as kept, and nothing is", left)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		var out int
		if _, err := fmt.Sscanf(a.lines[0].Text, "... %d lines were left out", &out); err != nil || out+len(a.lines)-1 != goes*each {
			t.Errorf("%d lines came, the first is %q", len(a.lines), a.lines[0].Text)
		}
	})
}

func TestAFullLogTakesNoMore(t *testing.T) {
	a := &api{full: true}
	reporting(t, a, func(t *testing.T, r *Reporter) {
		r.Log("info", "x", "one")
		time.Sleep(time.Second)
		for range 10 {
			r.Log("info", "x", "more")
			time.Sleep(time.Second)
		}
		if err := r.FlushLogs(t.Context()); err != nil {
			t.Error(err)
		}
		a.set(func() {
			if len(a.lines) != 1 {
				t.Errorf("%d lines sent", len(a.lines))
			}
		})
	})
}

func TestFailuresThatCannotHeal(t *testing.T) {
	for status, want := range map[int]error{409: ErrReload, 404: ErrReload, 401: ErrSignedIn, 400: ErrRefused, 426: ErrRefused} {
		reporting(t, &api{err: &client.Error{Status: status}}, func(t *testing.T, r *Reporter) {
			r.Event(wire.Event{})
			if err := r.Flush(t.Context()); !errors.Is(err, want) {
				t.Errorf("%d: %v", status, err)
			}
		})
	}
}
