package auth

import "time"

// stair counts the failures of one address or device; each makes the next wait
// longer.
type stair struct {
	failures int // attempts under way included
	until    time.Time
	last     time.Time
}

func (s *stair) blocked(now time.Time) (time.Duration, bool) {
	if s == nil || s.failures < freeFailures || !now.Before(s.until) {
		return 0, false
	}
	return s.until.Sub(now), true
}

// settle keeps a clock that was set back from making a wait longer than it can be.
func (s *stair) settle(now time.Time) {
	if s == nil {
		return
	}
	if most := now.Add(longestWait); s.until.After(most) {
		s.until, s.last = most, now
	}
}

// charge counts one failure and begins its wait.
func (s *stair) charge(now time.Time) {
	s.failures++
	s.last = now
	s.until = now.Add(waitAfter(s.failures))
}

func (s *stair) stale(now time.Time) bool {
	return s.failures <= 0 || now.Sub(s.last) > forgetAfter
}

// drum is a leaky bucket of failures: of a segment, or of all.
type drum struct {
	level float64 // failures not leaked away yet, as of last
	last  time.Time
}

// leak brings the level up to date. A clock that was set back leaks nothing.
func (d *drum) leak(now time.Time, r rate) {
	if dt := now.Sub(d.last); dt > 0 {
		d.level = max(0, d.level-dt.Seconds()*r.perSecond())
	}
	d.last = now
}

// blocked reports whether another failure would overflow, and how long it takes
// until it would not.
func (d *drum) blocked(now time.Time, r rate) (time.Duration, bool) {
	if d == nil || !r.limited() {
		return 0, false
	}
	d.leak(now, r)
	over := d.level + 1 - r.burst
	if over <= 0 {
		return 0, false
	}
	return time.Duration(over / r.perSecond() * float64(time.Second)), true
}
