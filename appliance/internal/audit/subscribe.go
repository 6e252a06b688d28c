package audit

import (
	"context"

	"slipway/fleet"
)

// Subscribe sends every entry from now on, as written, until ctx ends or the log
// closes; then the channel is closed. A reader that falls behind by more than 64
// entries misses some: a gap in the numbers tells, and Recent has them.
func (l *Log) Subscribe(ctx context.Context) <-chan fleet.AuditEntry {
	ch := make(chan fleet.AuditEntry, 64)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(ch)
		return ch
	}
	l.subs[ch] = struct{}{}
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, live := l.subs[ch]; live {
			delete(l.subs, ch)
			close(ch)
		}
	})
	return ch
}

// publish hands the entry to the subscribers without waiting. The caller holds mu.
func (l *Log) publish(e fleet.AuditEntry) {
	for ch := range l.subs {
		select {
		case ch <- e:
		default:
		}
	}
}
