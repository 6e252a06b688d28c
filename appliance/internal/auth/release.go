package auth

import (
	"strings"
	"time"

	"slipway/fleet"
)

// prune forgets what no longer matters.
func (t *throttle) prune(l limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for k, s := range t.stairs {
		if s.stale(now) {
			delete(t.stairs, k)
			t.book.drop(k)
		}
	}
	for k, d := range t.drums {
		r := l.segment
		if k == totalKey {
			r = l.total
		}
		if d.leak(now, r); d.level <= 0 || k == totalKey && !r.limited() {
			delete(t.drums, k)
			t.book.drop(k)
		}
	}
	before := len(t.holds.byKey)
	t.holds.prune(now)
	t.listChanged = t.listChanged || len(t.holds.byKey) != before
}

// forgetPasscode drops what was counted against a passcode that is no more.
// Console sign-ins go on as they were.
func (t *throttle) forgetPasscode() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.stairs {
		if strings.HasPrefix(k, "addr:") || strings.HasPrefix(k, "dev:") {
			delete(t.stairs, k)
			t.book.drop(k)
		}
	}
	for k := range t.drums {
		delete(t.drums, k)
		t.book.drop(k)
	}
	t.holds = newHolds()
	t.listChanged = true
}

// held is the waiting list.
func (t *throttle) held() []fleet.Held {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.holds.list(t.now())
}

// release lets the device with that code try some times.
func (t *throttle) release(code string) (subject, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	h := t.holds.byCode[strings.ToUpper(strings.TrimSpace(code))]
	if h == nil || h.stale(now) {
		return subject{}, false
	}
	h.tries, h.releasedUntil, h.seen = releaseTries, now.Add(releaseLasts), now
	// An IPv6 /64 is more than this device, so its count stays.
	if !h.subject.sharedAddress() {
		delete(t.stairs, h.subject.addrKey)
		t.book.drop(h.subject.addrKey)
	}
	t.listChanged = true
	return h.subject, true
}

func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}

// takeListChange reports whether the waiting list changed since it was last asked.
func (t *throttle) takeListChange() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := t.listChanged
	t.listChanged = false
	return changed
}
