package auth

import (
	"math"
	"sync"
	"time"
)

// A certificate that is refused costs some signature checks. One address may cause
// looksAtOnce of these, and then one every looksEvery; accepted ones do not count.
// It protects the processor, not a secret: there is nothing to guess. The passcode's
// throttle knows nothing of it.
const (
	looksAtOnce = 30
	looksEvery  = 2 * time.Second
	maxLookers  = 4096 // addresses
)

// looks counts refused certificates by address.
type looks struct {
	now func() time.Time

	mu   sync.Mutex
	from map[string]*looker
}

// looker is a leaky bucket.
type looker struct {
	level float64 // refusals not leaked away yet, as of at
	at    time.Time
}

func newLooks(now func() time.Time) *looks { return &looks{now: now, from: map[string]*looker{}} }

// take counts a look. giveBack takes it back when the certificate was accepted.
func (l *looks) take(key string) (giveBack func(), held *ThrottledError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	w := l.from[key]
	if w == nil {
		l.makeRoom(now)
		w = &looker{at: now}
		l.from[key] = w
	}
	w.leak(now)
	if over := w.level + 1 - looksAtOnce; over > 0 {
		wait := time.Duration(math.Ceil(over*looksEvery.Seconds())) * time.Second
		return nil, &ThrottledError{RetryAfter: max(wait, time.Second), Scope: "address"}
	}
	w.level++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		w.level = max(0, w.level-1)
	}, nil
}

// leak brings the level up to date. A clock that was set back leaks nothing.
func (w *looker) leak(now time.Time) {
	if d := now.Sub(w.at); d > 0 {
		w.level = max(0, w.level-d.Seconds()/looksEvery.Seconds())
	}
	w.at = now
}

// makeRoom forgets the lowest of some when there are too many. The caller holds mu.
func (l *looks) makeRoom(now time.Time) {
	if len(l.from) < maxLookers {
		return
	}
	lowest, seen := "", 0
	for key, w := range l.from {
		if w.leak(now); lowest == "" || w.level < l.from[lowest].level {
			lowest = key
		}
		if seen++; seen == 64 {
			break
		}
	}
	delete(l.from, lowest)
}
