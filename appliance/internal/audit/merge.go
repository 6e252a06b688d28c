package audit

import (
	"time"

	"slipway/fleet"
)

const (
	maxWindows  = 4096 // merge windows open at once
	maxOverflow = 16   // windows without address and device, beyond the budget
	overflowFor = 5    // merge windows that one of these lasts
)

// mergeKey is what must be equal for failures to be merged.
type mergeKey struct{ action, address, device, reason string }

func keyOf(e fleet.AuditEntry) mergeKey {
	return mergeKey{e.Action, e.Address, e.Device, e.Reason}
}

// window counts the repeats of one failure until they are written as one entry.
type window struct {
	entry  fleet.AuditEntry // the latest repeat
	count  int              // repeats not written yet
	first  time.Time        // of these
	opened time.Time
}

func (w *window) add(e fleet.AuditEntry, n int, first time.Time) {
	if w.count == 0 {
		w.first = first
	}
	w.entry = e
	w.count += n
}

// merger decides which failures are written at once and which are counted.
//
// The first of a kind is written at once and opens a window; repeats are counted
// and written as one entry when the window ends. A window that counted nothing
// is forgotten.
type merger struct {
	length   time.Duration
	budget   bucket
	windows  map[mergeKey]*window
	overflow map[mergeKey]*window
}

// offer returns true when the entry shall be written now.
func (m *merger) offer(e fleet.AuditEntry) bool {
	k := keyOf(e)
	if w := m.windows[k]; w != nil {
		w.add(e, 1, e.Time)
		return false
	}
	if len(m.windows) >= maxWindows || !m.budget.take(e.Time) {
		m.spill(e, 1, e.Time)
		return false
	}
	m.windows[k] = &window{opened: e.Time}
	return true
}

// spill counts failures beyond the budget by action and reason only.
func (m *merger) spill(e fleet.AuditEntry, n int, first time.Time) {
	e.Address, e.Device, e.Object = "", "", ""
	k := keyOf(e)
	if m.overflow[k] == nil && len(m.overflow) >= maxOverflow {
		e.Action, e.Reason = "audit.overflow", ""
		k = keyOf(e)
	}
	w := m.overflow[k]
	if w == nil {
		w = &window{opened: e.Time}
		m.overflow[k] = w
	}
	w.add(e, n, first)
}

// due returns the merged entries whose window has ended by now (all of them when
// closing).
func (m *merger) due(now time.Time, all bool) []fleet.AuditEntry {
	var out []fleet.AuditEntry
	for k, w := range m.windows {
		if !all && !w.over(now, m.length) {
			continue
		}
		switch {
		case w.count == 0:
			delete(m.windows, k)
		case m.budget.take(now):
			out = append(out, w.merged(now))
			*w = window{opened: now}
		default:
			m.spill(w.entry, w.count, w.first)
			delete(m.windows, k)
		}
	}
	for k, w := range m.overflow {
		if !all && !w.over(now, overflowFor*m.length) {
			continue
		}
		e := w.merged(now)
		e.Address, e.Object = "", "many sources"
		out = append(out, e)
		delete(m.overflow, k)
	}
	return out
}

// over says that a window has lasted long enough, or that the clock was set back.
func (w *window) over(now time.Time, length time.Duration) bool {
	open := now.Sub(w.opened)
	return open < 0 || open >= length
}

func (w *window) merged(now time.Time) fleet.AuditEntry {
	e := w.entry
	e.Time = now
	if w.count > 1 {
		e.Count, e.First = w.count, w.first
	}
	return e
}

// bucket is a token bucket: size tokens at most, one more each refill.
type bucket struct {
	size   float64
	refill time.Duration
	level  float64
	at     time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.at.IsZero() {
		b.level, b.at = b.size, now
	}
	if d := now.Sub(b.at); d > 0 {
		b.level = min(b.size, b.level+float64(d)/float64(b.refill))
	}
	b.at = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
