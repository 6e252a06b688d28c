package auth

import (
	"sync"
	"time"
)

// Bounds of the counters in memory. One counter takes about 200 bytes.
const (
	maxStairs = 16384
	maxDrums  = 4096
)

const totalKey = "all"

// throttle counts failures and holds callers back. Every attempt is charged as
// a failure when it begins, before any hashing, so that many at once cannot slip
// through; one that succeeds or never comes to be checked is given back.
type throttle struct {
	now func() time.Time

	mu     sync.Mutex
	stairs map[string]*stair // by wait key: addresses, devices, console addresses
	drums  map[string]*drum  // by wait key: segments and all
	holds  *holds
	book   *book // what is to be written to the state

	listChanged bool // since takeListChange was asked
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{
		now: now, stairs: map[string]*stair{}, drums: map[string]*drum{},
		holds: newHolds(), book: newBook(),
	}
}

// attempt is one attempt that was let through to be checked. Exactly one of
// fail, succeed and cancel must be called.
type attempt struct {
	t      *throttle
	stairs []string
	drums  []string
	score  float64 // recent failures around the caller, for the queue
	limits limits
	hold   *hold // the release it uses, if any

	// gentle attempts take back only themselves when they succeed: of the console, where
	// one account's password must not buy guesses at another's.
	gentle bool
}

// begin lets the subject try, or says how long it must wait. Its own address is
// asked first; what others can use up as well (IPv6 link, device, segment, all)
// leads to the waiting list instead, and a release overrides it.
func (t *throttle) begin(s subject, l limits) (*attempt, *ThrottledError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.stairs[s.addrKey].settle(now)
	t.stairs[s.devKey].settle(now)
	a := &attempt{t: t, limits: l, hold: t.holds.released(s, now)}
	if wait, blocked := t.stairs[s.addrKey].blocked(now); blocked && !s.sharedAddress() {
		return nil, &ThrottledError{RetryAfter: wholeSeconds(wait), Scope: "address"}
	}
	if a.hold == nil {
		if wait, scope := t.shared(s, l, now); scope != "" {
			t.book.hurry(s.segKey, true)
			h, isNew := t.holds.enter(s, scope, now)
			t.listChanged = t.listChanged || isNew
			return nil, &ThrottledError{
				RetryAfter: wholeSeconds(min(max(wait, firstWait), longestWait)), HoldCode: h.code, Scope: scope,
			}
		}
	}
	a.charge(s, now)
	return a, nil
}

// shared asks the counters that more than this caller can raise.
func (t *throttle) shared(s subject, l limits, now time.Time) (wait time.Duration, scope string) {
	if s.segKey == "" {
		return 0, ""
	}
	if wait, blocked := t.stairs[s.addrKey].blocked(now); blocked {
		return wait, "address"
	}
	if wait, blocked := t.stairs[s.devKey].blocked(now); blocked {
		return wait, "device"
	}
	if wait, blocked := t.drums[s.segKey].blocked(now, l.segment); blocked {
		return wait, "segment"
	}
	if wait, blocked := t.drums[totalKey].blocked(now, l.total); blocked {
		return wait, "total"
	}
	return 0, ""
}

// charge counts the attempt as failed until it is known better. The caller holds mu.
func (a *attempt) charge(s subject, now time.Time) {
	t := a.t
	switch {
	case a.hold != nil:
		// Let in by an administrator: only the tries and its own address count.
		a.hold.tries--
		a.score = -1
		if !s.sharedAddress() {
			a.stairs = []string{s.addrKey}
		}
	case s.segKey == "":
		a.gentle = true
		a.stairs = []string{s.addrKey}
		if own := t.stairs[s.addrKey]; own != nil {
			a.score = float64(own.failures)
		}
	default:
		a.stairs = []string{s.addrKey}
		if s.devKey != "" {
			a.stairs = append(a.stairs, s.devKey)
		}
		a.drums = []string{s.segKey}
		if a.limits.total.limited() {
			a.drums = append(a.drums, totalKey)
		}
		a.score = t.level(s.segKey, a.limits.segment, now)
	}
	for _, k := range a.stairs {
		t.stair(k, now).charge(now)
		t.book.touch(k)
	}
	for _, k := range a.drums {
		d := t.drum(k, now)
		d.leak(now, a.rate(k))
		d.level++
		t.book.touch(k)
	}
}

func (a *attempt) rate(key string) rate {
	if key == totalKey {
		return a.limits.total
	}
	return a.limits.segment
}

func (t *throttle) level(key string, r rate, now time.Time) float64 {
	d := t.drums[key]
	if d == nil {
		return 0
	}
	d.leak(now, r)
	return d.level
}

// fail records that the attempt was wrong: the waits begin now.
func (a *attempt) fail() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	now := a.t.now()
	for _, k := range a.stairs {
		s := a.t.stair(k, now)
		if s.failures == 0 { // forgotten meanwhile
			s.failures = 1
		}
		s.last, s.until = now, now.Add(waitAfter(s.failures))
		a.t.book.touch(k)
		a.t.book.hurry(k, s.failures >= freeFailures)
	}
}

// succeed forgets the failures of the address and the device, and takes the
// attempt back from the shared counters, whose other failures remain. At the console
// those of the address remain as well.
func (a *attempt) succeed() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	for _, k := range a.stairs {
		if s := a.t.stairs[k]; a.gentle && s != nil && s.failures > 1 {
			a.takeBack(k, s)
			continue
		}
		delete(a.t.stairs, k)
		a.t.book.drop(k)
	}
	a.refund()
	if a.hold != nil {
		a.t.holds.remove(a.hold)
		a.t.listChanged = true
	}
}

// cancel takes back an attempt that was never checked.
func (a *attempt) cancel() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	for _, k := range a.stairs {
		if s := a.t.stairs[k]; s != nil && s.failures > 0 {
			a.takeBack(k, s)
		}
	}
	a.refund()
	if a.hold != nil {
		a.hold.tries++
	}
}

// takeBack undoes charge. The caller holds mu.
func (a *attempt) takeBack(key string, s *stair) {
	s.failures--
	s.until = s.last.Add(waitAfter(s.failures))
	a.t.book.touch(key)
}

func (a *attempt) refund() {
	for _, k := range a.drums {
		if d := a.t.drums[k]; d != nil {
			d.level = max(0, d.level-1)
			a.t.book.touch(k)
		}
	}
}
