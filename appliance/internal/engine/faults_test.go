package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/tasksequence"
)

// faultyStore fails Update when told, before or after it was carried out.
type faultyStore struct {
	*state.Store
	before, after error
}

func (s *faultyStore) Update(ctx context.Context, fn func(tx *state.Tx) error) error {
	if s.before != nil {
		return s.before
	}
	if err := s.Store.Update(ctx, fn); err != nil {
		return err
	}
	return s.after
}

func faultyBench(t *testing.T) (*bench, *faultyStore) {
	t.Helper()
	faulty := &faultyStore{}
	b := newBench(t, func(o *Options) {
		faulty.Store = o.Store.(*state.Store)
		o.Store = faulty
	})
	return b, faulty
}

func TestNothingIsAcknowledgedThatWasNotWritten(t *testing.T) {
	b, faulty := faultyBench(t)
	d := b.begin()
	faulty.before = fmt.Errorf("write: %w", state.ErrFull)
	_, err := b.events(d.ID, 1, started(1, "a"))
	b.expectError("events on a full disk", err, state.ErrFull)
	b.expectError("order on a full disk", b.engine.Order(t.Context(), boss, d.ID, "cancel"), state.ErrFull)
	_, err = b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.expectError("resume on a full disk", err, state.ErrFull)
	b.expect("a heartbeat still works", b.heartbeat(d.ID, 1), "[]")
	history, err := b.engine.History(d.ID, 0, 9)
	b.check(err)
	b.expect("history", len(history), 0)
	faulty.before = nil
	b.expect("kept once there is room", b.report(d.ID, 1, started(1, "a")).Kept, 1)
	b.expect("results", b.statuses(d.ID), "1:a=running")
}

func TestAnUnknownOutcomeIsSettledByRepeating(t *testing.T) {
	b, faulty := faultyBench(t)
	d := b.begin()
	event := finished(1, "a", "succeeded")
	event.Variables = []wire.Variable{{Name: "P", Value: text("hush-hush"), Secret: true}}
	faulty.after = state.ErrUnknown
	_, err := b.events(d.ID, 1, event)
	b.expectError("events", err, state.ErrUnknown)
	faulty.after = nil
	b.log(d.ID, 1, wire.LogLine{Number: 1, Text: "it is hush-hush"})
	b.expect("log", b.readLog(d.ID, 1, 9), "1:it is *** of 1")
	b.expect("kept", b.report(d.ID, 1, event, started(2, "g/b")).Kept, 2)
	b.expect("results", b.statuses(d.ID), "1:a=succeeded 2:g/b=running")
}

func TestWhatNothingRefersToIsRemoved(t *testing.T) {
	b := newBench(t, func(o *Options) { o.KeepPerDevice = 1 })
	documents := func() (n int) {
		b.check(b.store.View(func(tx *state.Tx) error {
			n = tx.Documents().Len()
			return nil
		}))
		return n
	}
	var last string
	for version := range 3 {
		b.load(fmt.Sprintf(`{"id":"v","name":"V","steps":[{"id":"s%d","name":"s","definition":"reboot"}]}`, version))
		b.token = b.signIn("device-1")
		d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "v"})
		b.check(err)
		b.report(d.ID, 1, ended(1, "succeeded"))
		b.clock.add(time.Minute)
		last = d.ID
	}
	orphan := filepath.Join(b.engine.dir, "11111111-2222-3333-4444-555555555555.events.jsonl")
	other := filepath.Join(b.engine.dir, "notes.txt")
	for _, path := range []string{orphan, other} {
		b.check(os.WriteFile(path, nil, 0o600))
		b.check(os.Chtimes(path, b.clock.Now(), b.clock.Now()))
	}
	b.check(b.engine.collect(t.Context()))
	b.expect("documents", documents(), 1)
	if _, err := os.Stat(orphan); err != nil {
		t.Errorf("a young file was removed: %v", err)
	}
	b.clock.add(2 * collectEvery)
	b.check(b.engine.collect(t.Context()))
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Errorf("the file of a forgotten deployment is still there: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a file that is not ours was removed: %v", err)
	}
	doc, err := b.engine.Document(last)
	b.check(err)
	if _, err := tasksequence.ParseDocument(doc); err != nil {
		t.Errorf("the document in use: %v", err)
	}
	history, err := b.engine.History(last, 0, 9)
	b.check(err)
	b.expect("history of the one that stays", len(history), 1)
}

// TestEverythingAtOnce reports events, log lines and orders of one deployment from
// many goroutines while it is read, swept and resumed. The race detector and the
// final record judge.
func TestEverythingAtOnce(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, started(1, "a"))
	var work sync.WaitGroup
	each := func(times int, do func(i int) error) {
		work.Go(func() {
			for i := range times {
				if err := do(i); err != nil && !errors.Is(err, ErrStale) && !errors.Is(err, state.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	epoch := func() int64 {
		now, err := b.engine.Deployment(d.ID)
		if err != nil {
			t.Error(err)
		}
		return now.Epoch
	}
	each(40, func(i int) error {
		_, err := b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: epoch(), Progress: &wire.Progress{Path: "a", Percent: i}})
		return err
	})
	each(40, func(i int) error {
		_, err := b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: epoch(), Lines: logLines(int64(10*i+1), int64(10*i+10), "x")})
		return err
	})
	each(8, func(int) error { _, err := b.engine.Resume(t.Context(), b.token, d.ID, ""); return err })
	each(10, func(i int) error {
		order := []string{"pause", "continue"}[i%2]
		return b.engine.Order(t.Context(), boss, d.ID, order)
	})
	each(40, func(int) error {
		lines, last, err := b.engine.ReadLog(d.ID, 1, 1000)
		if err == nil && int64(len(lines)) != last {
			err = fmt.Errorf("%d lines of %d were read", len(lines), last)
		}
		return err
	})
	each(20, func(int) error { b.engine.sweep(t.Context()); return b.engine.collect(t.Context()) })
	work.Wait()
	b.expect("epoch", b.record(d.ID).Epoch, 9)
	b.report(d.ID, 9, finished(1, "a", "succeeded"), ended(2, "succeeded"))
	b.expect("status", b.record(d.ID).Status, "succeeded")
	if len(b.engine.waiting) != 0 {
		t.Errorf("still waiting for %v", b.engine.waiting)
	}
}

// TestNumbersOfAnOlderEpochAreNotMixedUp repeats an event whose digest was never
// written down, while the history knows another event of that number.
func TestNumbersOfAnOlderEpochAreNotMixedUp(t *testing.T) {
	b, faulty := faultyBench(t)
	d := b.begin()
	b.report(d.ID, 1, finished(1, "a", "succeeded"))
	_, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	faulty.after = state.ErrUnknown
	_, err = b.events(d.ID, 2, started(1, "g/b"))
	b.expectError("events", err, state.ErrUnknown)
	faulty.after = nil
	b.restart(true)
	b.expect("kept", b.report(d.ID, 2, started(1, "g/b")).Kept, 1)
}
