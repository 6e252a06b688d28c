package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"slipway/fleet"
)

// count adds one to a counter.
func count(tx *Tx) error {
	w, err := tx.Waits().Get("n")
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	w.Key = "n"
	w.Failures++
	return tx.Waits().Put(w)
}

func counted(t *testing.T, s *Store) (n int) {
	t.Helper()
	view(t, s, func(tx *Tx) error {
		w, err := tx.Waits().Get("n")
		n = w.Failures
		return err
	})
	return n
}

func TestNoUpdateIsLostAmongMany(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	const writers, each = 24, 20
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := s.Update(context.Background(), count); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := counted(t, s); n != writers*each {
		t.Errorf("counted %d of %d", n, writers*each)
	}
}

func TestUpdateOnceIsDoneOnce(t *testing.T) {
	o := quiet(t.TempDir())
	s := open(t, o)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.UpdateOnce(context.Background(), "k", count); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := s.UpdateOnce(t.Context(), "other", count); err != nil {
		t.Fatal(err)
	}
	if err := s.raft.Snapshot().Error(); err != nil { // the keys are in the snapshot, too
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	if err := s.UpdateOnce(t.Context(), "k", count); err != nil {
		t.Fatal(err)
	}
	if n := counted(t, s); n != 2 {
		t.Errorf("counted %d, want 2", n)
	}
	if err := s.UpdateOnce(t.Context(), "", count); err == nil {
		t.Error("an empty key is accepted")
	}
	if err := s.UpdateOnce(t.Context(), strings.Repeat("k", MaxKey+1), count); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a long key: %v", err)
	}
}

func TestAFailedUpdateOnceMayBeTriedAgain(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	mine := errors.New("mine")
	if err := s.UpdateOnce(t.Context(), "k", func(*Tx) error { return mine }); !errors.Is(err, mine) {
		t.Fatal(err)
	}
	if err := s.UpdateOnce(t.Context(), "k", count); err != nil {
		t.Fatal(err)
	}
	if n := counted(t, s); n != 1 {
		t.Errorf("counted %d", n)
	}
}

func TestUpdateGivesUpWhenItAlwaysLoses(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	runs := 0
	err := s.Update(t.Context(), func(tx *Tx) error {
		runs++
		if runs <= aloneAfter { // from then on nobody can get in between
			if err := s.Update(context.Background(), count); err != nil {
				return err
			}
		}
		return count(tx)
	})
	if err != nil {
		t.Fatalf("after %d runs: %v", runs, err)
	}
	if runs != aloneAfter+1 {
		t.Errorf("ran %d times", runs)
	}
	if n := counted(t, s); n != runs {
		t.Errorf("counted %d, want %d", n, runs)
	}
}

func TestAnEndedContextWritesNothing(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ctx, count); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// An answer that got lost is settled by the idempotency key.
func TestAnUnknownOutcomeIsSettled(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, count)
	tx := newTx(s.machine, true)
	if err := count(tx); err != nil {
		t.Fatal(err)
	}
	lost := errors.New("leadership lost while committing log")
	data := tx.entry("key-1", false).encode()
	if out, err := s.settle(t.Context(), "key-1", answer{err: lost}); err != nil || out != outcomeConflict {
		t.Fatalf("before it is in the log: %v, %v", out, err)
	}
	if err := s.raft.Apply(data, 0).Error(); err != nil {
		t.Fatal(err)
	}
	if out, err := s.settle(t.Context(), "key-1", answer{err: lost}); err != nil || out != outcomeRepeated {
		t.Fatalf("after it is in the log: %v, %v", out, err)
	}
	f := s.raft.Apply(data, 0)
	if err := f.Error(); err != nil || f.Response() != outcomeRepeated {
		t.Fatalf("proposed again: %v, %v", f.Response(), err)
	}
	if n := counted(t, s); n != 2 {
		t.Errorf("counted %d", n)
	}
}

func TestIdempotencyKeysAreBounded(t *testing.T) {
	m, err := newMachine(func([]Change) {})
	if err != nil {
		t.Fatal(err)
	}
	for i := range keepAuto + 100 {
		e := entry{key: fmt.Sprint("k", i), changes: []change{{table: "waits", key: fmt.Sprint(i), data: []byte("\x01{}")}}}
		if out, err := applyEntry(m, uint64(i+1), &e); err != nil || out != outcomeApplied {
			t.Fatal(out, err)
		}
	}
	rows, err := m.db.Load().Txn(false).Get(appliedTable, idIndex)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() != nil {
		n++
	}
	if n != keepAuto {
		t.Errorf("%d keys are remembered, want %d", n, keepAuto)
	}
}

func applyEntry(m *machine, index uint64, e *entry) (outcome, error) {
	txn := m.db.Load().Txn(true)
	defer txn.Commit()
	out, _, err := m.apply(txn, index, e)
	return out, err
}

func TestClosingEndsWaitingWrites(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				err := s.Update(context.Background(), func(tx *Tx) error {
					return tx.Waits().Put(fleet.Wait{Key: fmt.Sprint(w), Failures: i})
				})
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("%v", err)
					return
				}
				if i == 20 && w == 0 {
					close(stop)
				}
			}
		})
	}
	<-stop
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}
