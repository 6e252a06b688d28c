package auth

import "time"

// stair finds or makes a counter, making room when there are too many.
func (t *throttle) stair(key string, now time.Time) *stair {
	s := t.stairs[key]
	if s == nil || s.stale(now) {
		if s == nil && len(t.stairs) >= maxStairs {
			t.evictStair(now)
		}
		s = &stair{}
		t.stairs[key] = s
	}
	return s
}

// evictStair drops the oldest of some: looking at all would let a flood of
// addresses cost more than it does.
func (t *throttle) evictStair(now time.Time) {
	var oldest string
	looked := 0
	for k, s := range t.stairs {
		if oldest == "" || s.last.Before(t.stairs[oldest].last) {
			oldest = k
		}
		if looked++; looked == 64 || s.stale(now) {
			break
		}
	}
	delete(t.stairs, oldest)
	t.book.drop(oldest)
}

func (t *throttle) drum(key string, now time.Time) *drum {
	d := t.drums[key]
	if d == nil {
		if len(t.drums) >= maxDrums {
			t.evictDrum()
		}
		d = &drum{last: now}
		t.drums[key] = d
	}
	return d
}

func (t *throttle) evictDrum() {
	var lowest string
	looked := 0
	for k, d := range t.drums {
		if k != totalKey && (lowest == "" || d.level < t.drums[lowest].level) {
			lowest = k
		}
		if looked++; looked == 64 {
			break
		}
	}
	delete(t.drums, lowest)
	t.book.drop(lowest)
}
