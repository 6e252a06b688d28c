package auth

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Bounds of what the throttle writes to the state. A write carries at most
// rowsPerFlush rows; the table never holds more than maxWaitRows.
const (
	rowsPerFlush = 256
	maxWaitRows  = 4096
	// flushEvery is how often changed counters are written; a counter that begins
	// to hold somebody back is written with the next second. That much can be
	// forgotten when the process is killed.
	flushEvery = 2 * time.Second
)

// book notes which counters differ from what the state holds. The throttle's
// lock guards it.
type book struct {
	dirty  map[string]struct{}
	kept   map[string]struct{} // keys that have a row
	urgent bool                // a counter without a row holds somebody back
	last   time.Time           // of the last flush
}

func newBook() *book {
	return &book{dirty: map[string]struct{}{}, kept: map[string]struct{}{}}
}

func (b *book) touch(key string) { b.dirty[key] = struct{}{} }

// hurry asks for an early flush when a counter that holds somebody back has no row.
func (b *book) hurry(key string, holds bool) {
	_, kept := b.kept[key]
	_, dirty := b.dirty[key]
	b.urgent = b.urgent || holds && !kept && dirty
}

// drop notes that a counter is gone.
func (b *book) drop(key string) {
	if _, kept := b.kept[key]; kept {
		b.dirty[key] = struct{}{}
		return
	}
	delete(b.dirty, key)
}

// worthKeeping is the row of a counter, if it is worth one: a counter that holds
// nobody back may be forgotten at a restart.
func (t *throttle) worthKeeping(key string, l limits) (fleet.Wait, bool) {
	if s := t.stairs[key]; s != nil {
		return fleet.Wait{Key: key, Failures: s.failures, Until: s.until, Last: s.last}, s.failures >= freeFailures
	}
	if d := t.drums[key]; d != nil {
		r := l.segment
		if key == totalKey {
			r = l.total
		}
		w := fleet.Wait{Key: key, Failures: int(math.Ceil(min(d.level, math.MaxInt32))), Last: d.last}
		if wait, blocked := d.blocked(d.last, r); blocked {
			w.Until = w.Last.Add(wait)
		}
		return w, w.Failures > freeFailures
	}
	return fleet.Wait{}, false
}

// collect takes the next rows to write and keys to delete, shared counters first.
func (t *throttle) collect(l limits, all bool) (put []fleet.Wait, del []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if !all && !t.book.urgent && now.Sub(t.book.last) < flushEvery && !now.Before(t.book.last) {
		return nil, nil
	}
	t.book.urgent = false
	t.book.last = now
	for _, wantDrum := range []bool{true, false} {
		for k := range t.book.dirty {
			if isDrum(k) != wantDrum {
				continue
			}
			if len(put)+len(del) == rowsPerFlush {
				t.book.urgent = true
				return put, del
			}
			_, kept := t.book.kept[k]
			w, worth := t.worthKeeping(k, l)
			switch {
			case worth && (kept || len(t.book.kept) < maxWaitRows):
				put = append(put, w)
				t.book.kept[k] = struct{}{}
			case !worth && kept:
				del = append(del, k)
				delete(t.book.kept, k)
			}
			delete(t.book.dirty, k)
		}
	}
	return put, del
}

func isDrum(key string) bool { return key == totalKey || strings.HasPrefix(key, "seg:") }

// giveBack undoes collect after a failed write.
func (t *throttle) giveBack(put []fleet.Wait, del []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range put {
		t.book.dirty[w.Key] = struct{}{}
		// It may or may not have a row: taking it for one makes sure it is deleted.
		t.book.kept[w.Key] = struct{}{}
	}
	for _, k := range del {
		t.book.dirty[k] = struct{}{}
		t.book.kept[k] = struct{}{}
	}
}

// flushWaits writes counters that changed, and returns how many rows it wrote.
// With all set it writes whatever there is, as at the end of the process.
func (s *Service) flushWaits(ctx context.Context, all bool) (rows int, err error) {
	l, err := s.limits()
	if err != nil {
		return 0, err
	}
	for {
		put, del := s.throttle.collect(l, all)
		if len(put)+len(del) == 0 {
			return rows, nil
		}
		if err := s.writeWaits(ctx, put, del); err != nil {
			s.throttle.giveBack(put, del)
			return rows, err
		}
		if rows += len(put) + len(del); !all {
			return rows, nil
		}
	}
}

func (s *Service) writeWaits(ctx context.Context, put []fleet.Wait, del []string) error {
	return s.store.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, w := range put {
			errs = append(errs, tx.Waits().Put(w))
		}
		for _, k := range del {
			errs = append(errs, tx.Waits().Delete(k))
		}
		return errors.Join(errs...)
	})
}

// loadWaits takes up the counters of the process before.
func (t *throttle) loadWaits(tx *state.Tx) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for w := range tx.Waits().All() {
		t.book.kept[w.Key] = struct{}{}
		if w.Last.After(now) { // the clock was set back meanwhile
			w.Last = now
		}
		switch failures := max(0, w.Failures); {
		case isDrum(w.Key):
			t.drums[w.Key] = &drum{level: float64(failures), last: w.Last}
		default:
			t.stairs[w.Key] = &stair{failures: failures, until: w.Until, last: w.Last}
		}
	}
}
