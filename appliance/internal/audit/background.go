package audit

import (
	"fmt"
	"time"
)

// sync makes everything up to the entry counted as upTo durable. Writers that
// arrive while another one syncs find their entry covered and return at once.
func (l *Log) sync(upTo uint64) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if l.synced >= upTo {
		return nil
	}
	l.mu.Lock()
	f, written := l.journal.f, l.written
	l.mu.Unlock()
	// A rotation between here and Sync closes f, having synced it first; then
	// the new file is the one to sync.
	for {
		err := f.Sync()
		l.mu.Lock()
		current := l.journal.f
		l.mu.Unlock()
		if err == nil {
			l.synced = written
			l.durable.Store(l.base + int64(written))
			l.wake()
			return nil
		}
		if current == f {
			return fmt.Errorf("audit: sync: %w", err)
		}
		f = current
	}
}

// run ends merge windows, syncs failures and tries again after a full disk. It
// ends with Close.
func (l *Log) run() {
	defer close(l.done)
	tick := time.NewTicker(l.o.SyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.flush(false)
		}
	}
}

// flush writes the merged entries that are due and syncs.
func (l *Log) flush(all bool) {
	l.mu.Lock()
	for _, e := range l.merger.due(l.o.Now().UTC().Truncate(time.Millisecond), all) {
		if err := l.append(e); err != nil {
			l.o.Logger.Error("audit entry could not be written", "action", e.Action, "error", err)
		}
	}
	if l.lost > 0 {
		if err := l.makeRoom(); err == nil {
			_ = l.tellLost() // the count stays for the next try
		}
	}
	written := l.written
	l.mu.Unlock()
	if err := l.sync(written); err != nil {
		l.o.Logger.Error("audit log could not be synced", "error", err)
	}
}

// Close writes what is still being merged, syncs and closes the log. Further
// writes return ErrClosed; subscriptions end.
func (l *Log) Close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	close(l.stop)
	<-l.done
	l.flush(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for ch := range l.subs {
		delete(l.subs, ch)
		close(ch)
	}
	for ch := range l.wakers {
		delete(l.wakers, ch)
		close(ch)
	}
	if err := l.journal.f.Close(); err != nil {
		return fmt.Errorf("audit: close: %w", err)
	}
	return nil
}
