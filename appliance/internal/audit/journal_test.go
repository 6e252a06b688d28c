package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/fleet"
)

func TestTornEndIsRepaired(t *testing.T) {
	whole := `{"format":1,"n":1,"t":"2026-11-21T08:00:00Z","actor":"a","action":"x","outcome":"ok"}` + "\n"
	second := strings.Replace(whole, `"n":1`, `"n":2`, 1)
	for name, c := range map[string]struct {
		tail string
		next int64 // number of the entry after the repair note
	}{
		"half a line":          {tail: second[:40], next: 3},
		"all but the newline":  {tail: strings.TrimSuffix(second, "\n"), next: 3},
		"zeroed block":         {tail: second + strings.Repeat("\x00", 4096), next: 4},
		"zeroes and a newline": {tail: strings.Repeat("\x00", 50) + "\n", next: 3},
		"garbage lines":        {tail: "}}\n\n{\"format\":1}\n", next: 3},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, segmentName(1))
			if err := os.WriteFile(path, []byte(whole+c.tail), 0o600); err != nil {
				t.Fatal(err)
			}
			l := open(t, dir, Options{})
			write(t, l, ok("after"))
			all := recent(t, l, Filter{})
			if all[0].Action != "after" || all[0].Number != c.next {
				t.Errorf("newest is %+v, want number %d", all[0], c.next)
			}
			if all[1].Action != "audit.repaired" {
				t.Errorf("the repair is not told: %+v", all[1])
			}
			if last := all[len(all)-1]; last.Number != 1 {
				t.Errorf("the whole entry before is gone: %+v", all)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(data)) {
				if _, ok := parse([]byte(line)); !ok {
					t.Errorf("left in the file: %q", line)
				}
			}
		})
	}
}

func TestWholeFileIsNotRepaired(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	write(t, l, ok("one"))
	l.Close()
	l = open(t, dir, Options{})
	if all := recent(t, l, Filter{}); len(all) != 1 {
		t.Errorf("have %+v, want the one entry", all)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	line := `{"format":2,"n":9,"t":"2026-11-21T08:00:00Z"}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, segmentName(1)), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, Options{})
	if err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("err = %v, want one that names the newer version", err)
	}
}

func TestTotalIsCapped(t *testing.T) {
	dir := t.TempDir()
	o := Options{FileBytes: 2000, TotalBytes: 8000}
	l := open(t, dir, o)
	for i := range 500 {
		write(t, l, ok(fmt.Sprintf("step.%d", i)))
		if size := folderSize(t, dir); size > o.TotalBytes+400 {
			t.Fatalf("after %d entries the log holds %d bytes", i, size)
		}
	}
	all := recent(t, l, Filter{})
	for i := 1; i < len(all); i++ {
		if all[i].Number != all[i-1].Number-1 {
			t.Fatalf("numbers have a gap: %d after %d", all[i].Number, all[i-1].Number)
		}
	}
	dropped := recent(t, l, Filter{Action: "audit.dropped"})
	if len(dropped) == 0 {
		t.Fatal("no entry tells what was dropped")
	}
	var first, last int64
	if _, err := fmt.Sscanf(dropped[0].Reason, "the log reached its size limit: entries %d to %d", &first, &last); err != nil {
		t.Fatalf("reason %q: %v", dropped[0].Reason, err)
	}
	if oldest := all[len(all)-1].Number; last != oldest-1 {
		t.Errorf("the newest note says %d is the last one gone, the oldest there is is %d", last, oldest)
	}
	l.Close()
	l = open(t, dir, o)
	write(t, l, ok("again"))
	if have := recent(t, l, Filter{})[0].Number; have != all[0].Number+1 {
		t.Errorf("after reopening the number is %d, want %d", have, all[0].Number+1)
	}
}

func TestTooSmallTotalIsRefused(t *testing.T) {
	if _, err := Open(t.TempDir(), Options{FileBytes: 100, TotalBytes: 150}); err == nil {
		t.Error("opened")
	}
}

func TestConcurrentWriters(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{FileBytes: 3000, TotalBytes: 1 << 20, SyncEvery: time.Millisecond})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if err := l.Write(context.Background(), ok(fmt.Sprintf("w%d.%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all := recent(t, l, Filter{})
	seen := map[string]bool{}
	for _, e := range all {
		seen[e.Action] = true
	}
	if len(all) != 400 || len(seen) != 400 {
		t.Errorf("%d entries, %d different, want 400", len(all), len(seen))
	}
}

func TestWriteAfterClose(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(context.Background(), fleet.AuditEntry{}); !errors.Is(err, ErrClosed) {
		t.Errorf("err = %v", err)
	}
}

func FuzzInspect(f *testing.F) {
	data, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-9])
	f.Add([]byte("\n\n\n"))
	f.Add([]byte("{\"format\":1,\"n\":-4}\n\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), segmentName(1))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, valid, err := inspect(path, 1)
		if err != nil {
			return
		}
		if valid < 0 || valid > s.size {
			t.Fatalf("valid = %d of %d", valid, s.size)
		}
		// What was kept ends in a whole entry, so a second look cuts nothing.
		if err := os.WriteFile(path, data[:valid], 0o600); err != nil {
			t.Fatal(err)
		}
		again, valid2, err := inspect(path, 1)
		if err != nil || valid2 != valid || again.last != s.last {
			t.Fatalf("second look: valid %d then %d, last %d then %d, err %v", valid, valid2, s.last, again.last, err)
		}
	})
}
