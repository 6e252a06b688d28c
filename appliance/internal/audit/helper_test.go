package audit

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"slipway/fleet"
)

// clock is a clock that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// open opens a log whose background work never runs by itself: tests call flush.
func open(t *testing.T, dir string, o Options) *Log {
	t.Helper()
	if o.SyncEvery == 0 {
		o.SyncEvery = time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func write(t *testing.T, l *Log, e fleet.AuditEntry) {
	t.Helper()
	if err := l.Write(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func recent(t *testing.T, l *Log, f Filter) []fleet.AuditEntry {
	t.Helper()
	out, err := l.Recent(f, 0, maxPage)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ok(action string) fleet.AuditEntry {
	return fleet.AuditEntry{Actor: "anna", Action: action, Outcome: OutcomeOK}
}

func refused(address, device string) fleet.AuditEntry {
	return fleet.AuditEntry{
		Actor: "device", Action: "passcode.refused", Outcome: "refused",
		Address: address, Device: device, Reason: "wrong",
	}
}

// folderSize is the length of all files of the log.
func folderSize(t *testing.T, dir string) (total int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "audit-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		fi, err := os.Stat(n)
		if err != nil {
			t.Fatal(err)
		}
		total += fi.Size()
	}
	return total
}
