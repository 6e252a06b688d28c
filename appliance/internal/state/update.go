package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/hashicorp/raft"
)

const (
	maxAttempts   = 40               // runs of a closure before ErrConflict
	aloneAfter    = 8                // lost attempts after which a write gets a turn of its own
	enqueueWait   = 5 * time.Second  // for raft to take an entry
	settleTimeout = 10 * time.Second // for the outcome of a proposed entry, when the caller has gone
)

// Update runs fn and makes its changes durable: when it returns nil they are on
// disk and every later View sees them. fn runs on a private copy and is run again
// when another write got in between, so it must have no side effects, and must not
// call Update itself. An error of fn is returned as it is and nothing is written.
//
// Errors: ErrFull, ErrConflict, ErrTooLarge, ErrNotReady, ErrClosed, and ErrUnknown
// when ctx ended before the outcome was known.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	return s.update(ctx, rand.Text(), false, fn)
}

// UpdateOnce is Update under an idempotency key: once it has succeeded for a key,
// it succeeds again without running fn. The last 65,536 keys are remembered.
func (s *Store) UpdateOnce(ctx context.Context, key string, fn func(tx *Tx) error) error {
	if err := checkKey("idempotency key", key); err != nil {
		return err
	}
	return s.update(ctx, "once:"+key, true, fn)
}

func (s *Store) update(ctx context.Context, key string, named bool, fn func(tx *Tx) error) error {
	for attempt := range maxAttempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		out, err := s.attempt(ctx, key, named, attempt >= aloneAfter, fn)
		if err != nil || out != outcomeConflict {
			return err
		}
		if err := s.pause(ctx, attempt); err != nil {
			return err
		}
	}
	return ErrConflict
}

// attempt runs fn once and proposes what it changed. One that keeps losing is
// given the store for itself.
func (s *Store) attempt(ctx context.Context, key string, named, alone bool, fn func(tx *Tx) error) (outcome, error) {
	if alone {
		s.turn.Lock()
		defer s.turn.Unlock()
	} else {
		s.turn.RLock()
		defer s.turn.RUnlock()
	}
	if err := s.usable(); err != nil {
		return 0, err
	}
	tx := newTx(s.machine, true)
	defer tx.end()
	if named {
		if seen, err := tx.base.First(appliedTable, idIndex, key); err != nil || seen != nil {
			return outcomeRepeated, err
		}
	}
	if err := fn(tx); err != nil {
		return 0, err
	}
	e := tx.entry(key, named)
	if len(e.changes) == 0 && !named {
		return outcomeApplied, nil // what it read was consistent; there is nothing to write
	}
	data := e.encode()
	if len(data) > MaxTransaction {
		return 0, fmt.Errorf("transaction of %d bytes (at most %d): %w", len(data), MaxTransaction, ErrTooLarge)
	}
	if err := s.room(e, len(data)); err != nil {
		return 0, err
	}
	return s.propose(ctx, key, data)
}

// room answers ErrFull while the disk is too full for a write. Removals are tried as
// long as the log has room of its own or a reserve: they are how room is made.
func (s *Store) room(e *entry, size int) error {
	for _, c := range e.changes {
		if !c.remove {
			return s.space.need(s.lowMark(size))
		}
	}
	return nil
}

// usable tells early what would fail anyway.
func (s *Store) usable() error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
		return errors.Join(s.machine.err(), s.logs.deadErr())
	}
}

// answer is what became of a proposal.
type answer struct {
	response any
	err      error
}

// propose hands an encoded entry to raft and waits for its outcome.
func (s *Store) propose(ctx context.Context, key string, data []byte) (outcome, error) {
	done := make(chan answer, 1)
	future := s.raft.Apply(data, enqueueWait)
	go func() { // ends with the future: raft answers all it has taken, at its end at the latest
		err := future.Error()
		done <- answer{future.Response(), err}
	}()
	return s.await(ctx, key, done)
}

// await turns raft's answer into an outcome. A caller that goes away leaves a
// proposal behind; a local disk answers soon, so its outcome is awaited a while.
func (s *Store) await(ctx context.Context, key string, done <-chan answer) (outcome, error) {
	var late <-chan time.Time
	gone := ctx.Done()
	for {
		select {
		case a := <-done:
			return s.settle(ctx, key, a)
		case <-gone:
			gone, late = nil, time.After(settleTimeout)
		case <-late:
			return 0, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
		case <-s.closing:
			return 0, ErrClosed
		}
	}
}

// settle finds out what an answer means. After a lost leadership the entry may or
// may not be in the log: once a leader has applied the whole log again, the
// idempotency key tells.
func (s *Store) settle(ctx context.Context, key string, a answer) (outcome, error) {
	switch {
	case a.err == nil:
		if err, ok := a.response.(error); ok {
			return 0, err
		}
		return a.response.(outcome), nil
	case errors.Is(a.err, raft.ErrRaftShutdown):
		return 0, ErrClosed
	case errors.Is(a.err, errNotStored):
		return 0, a.err // certainly not in the log; wraps ErrFull where it is that
	case s.logs.deadErr() != nil:
		return 0, s.logs.deadErr()
	case errors.Is(a.err, raft.ErrNotLeader) && s.logs.full.Load():
		return 0, ErrFull // nobody can lead while the log cannot grow
	}
	if err := s.waitLeader(context.WithoutCancel(ctx)); err != nil {
		if errors.Is(a.err, raft.ErrNotLeader) || errors.Is(a.err, raft.ErrEnqueueTimeout) {
			return 0, ErrNotReady // it was never taken
		}
		return 0, fmt.Errorf("%w: %w", ErrUnknown, a.err)
	}
	seen, err := s.machine.db.Load().Txn(false).First(appliedTable, idIndex, key)
	if err != nil {
		return 0, err
	}
	if seen != nil {
		return outcomeRepeated, nil
	}
	return outcomeConflict, nil // not in the log: run it again
}

// pause waits a little longer after each lost attempt, by chance more or less.
func (s *Store) pause(ctx context.Context, attempt int) error {
	limit := min(200*time.Microsecond<<min(attempt, 8), 20*time.Millisecond)
	select {
	case <-time.After(mathrand.N(limit)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
}
