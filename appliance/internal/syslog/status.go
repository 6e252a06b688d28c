package syslog

import (
	"context"
	"time"
)

// Status is how the forwarding stands.
type Status struct {
	Collector string    // tls://192.0.2.10:6514
	Connected bool      // the last entries arrived, or there were none
	Forwarded int64     // entries since the start of the appliance
	Missed    int64     // entries that the log dropped before they were forwarded, since the start
	Lag       int64     // entries that the log holds and that do not count as forwarded yet
	LastError string    // of the last failure; empty while it works
	ErrorAt   time.Time // when that was
}

// Status returns how the forwarding stands now.
func (f *Forwarder) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	s.Lag = max(0, f.o.Log.Last()-f.cursor.Number)
	return s
}

// Figures are the numbers of the status, for metrics.
func (f *Forwarder) Figures() map[string]float64 {
	s := f.Status()
	connected := 0.0
	if s.Connected {
		connected = 1
	}
	return map[string]float64{"connected": connected, "forwarded_total": float64(s.Forwarded), "missed_total": float64(s.Missed), "lag_entries": float64(s.Lag)}
}

// connected notes that the forwarding works.
func (f *Forwarder) connected(ctx context.Context) {
	f.mu.Lock()
	was := f.status
	f.status.Connected, f.status.LastError, f.status.ErrorAt = true, "", time.Time{}
	f.mu.Unlock()
	if !was.Connected {
		f.o.Logger.InfoContext(ctx, "the audit log is forwarded", "collector", was.Collector)
	}
}

// forwarded moves the cursor. A cursor that cannot be written, e.g. on a full disk,
// is written with the next one; a restart before that repeats entries.
func (f *Forwarder) forwarded(ctx context.Context, m mark) {
	f.mu.Lock()
	f.cursor = m.cursor
	f.status.Forwarded += m.entries
	f.mu.Unlock()
	f.connected(ctx)
	if err := m.cursor.write(f.o.CursorFile); err != nil {
		f.o.Logger.WarnContext(ctx, "the place in the audit log could not be kept; after a restart some entries are forwarded again", "error", err)
	}
}

// missed counts entries that are gone, once however often they are come by.
func (f *Forwarder) missed(first, last int64) {
	f.mu.Lock()
	first = max(first, f.told+1)
	known := last < first
	if !known {
		f.status.Missed += last - first + 1
		f.told = last
	}
	f.mu.Unlock()
	if known {
		return
	}
	f.o.Logger.Warn("the audit log dropped entries before they were forwarded", "first", first, "last", last)
}

// failed notes why a connection ended. The log tells the first of a row only.
func (f *Forwarder) failed(ctx context.Context, err error) {
	f.mu.Lock()
	first := f.status.LastError == ""
	f.status.Connected, f.status.LastError, f.status.ErrorAt = false, err.Error(), time.Now()
	collector := f.status.Collector
	f.mu.Unlock()
	if first {
		f.o.Logger.WarnContext(ctx, "the audit log cannot be forwarded; it is tried again", "collector", collector, "error", err)
	}
}
