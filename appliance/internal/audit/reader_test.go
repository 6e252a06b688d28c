package audit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

func numbers(list []fleet.AuditEntry) string {
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprint(e.Number))
	}
	return strings.Join(out, " ")
}

func TestPagingBothWays(t *testing.T) {
	l := open(t, t.TempDir(), Options{FileBytes: 500, TotalBytes: 1 << 20})
	for i := range 20 {
		write(t, l, fleet.AuditEntry{Actor: []string{"anna", "ben"}[i%2], Action: "a", Outcome: "ok"})
	}
	older, err := l.Recent(Filter{Actor: "anna"}, 12, 3)
	if err != nil || numbers(older) != "11 9 7" {
		t.Errorf("older: %s, %v", numbers(older), err)
	}
	newer, err := l.Newer(Filter{Actor: "anna"}, 11, 3)
	if err != nil || numbers(newer) != "17 15 13" {
		t.Errorf("newer: %s, %v", numbers(newer), err)
	}
	if end, err := l.Newer(Filter{}, 18, 10); err != nil || numbers(end) != "20 19" {
		t.Errorf("at the end: %s, %v", numbers(end), err)
	}
	if none, err := l.Newer(Filter{}, 20, 10); err != nil || len(none) != 0 {
		t.Errorf("behind the end: %s, %v", numbers(none), err)
	}
}

func TestFilterByNetwork(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	for _, a := range []string{"192.0.2.1", "192.0.3.1", "2001:db8::5", "", "not one"} {
		write(t, l, fleet.AuditEntry{Actor: "a", Action: "b", Outcome: "ok", Address: a})
	}
	for want, have := range map[string]string{"192.0.2.0/24": "1", "192.0.2.0/23": "2 1", "::/0": "3", "2001:0db8:0::5": "3", "::ffff:192.0.3.1": "2", "192.0.2.": "", "192.0.2.0/99": ""} {
		if got := numbers(recent(t, l, Filter{Address: want})); got != have {
			t.Errorf("address %s: %q, want %q", want, got, have)
		}
	}
}

// A reader sees every entry once and in order, over rotation, from any entry on.
func TestReaderFollows(t *testing.T) {
	l := open(t, t.TempDir(), Options{FileBytes: 700, TotalBytes: 1 << 20})
	r := l.ReadAfter(0)
	var seen int64
	take := func(r *Reader, n int) {
		t.Helper()
		for {
			list, err := r.Next(n)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				return
			}
			if len(list) > n {
				t.Fatalf("%d entries, asked for %d", len(list), n)
			}
			for _, e := range list {
				if e.Number != seen+1 {
					t.Fatalf("entry %d after %d", e.Number, seen)
				}
				seen = e.Number
			}
		}
	}
	for i := range 60 {
		write(t, l, ok(fmt.Sprint("a.", i)))
		if i%7 == 0 {
			take(r, 1+i%4)
		}
	}
	take(r, 5)
	if seen != 60 || l.Last() != 60 {
		t.Errorf("saw %d, last %d", seen, l.Last())
	}
	seen = 41
	take(l.ReadAfter(41), 4)
	if seen != 60 {
		t.Errorf("from 41: saw %d", seen)
	}
}

// What a power loss could take back is not shown: its number may be used again.
func TestReaderWaitsForTheDisk(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	r := l.ReadAfter(0)
	ctx, cancel := context.WithCancel(t.Context())
	woken := l.Notify(ctx)
	write(t, l, refused("192.0.2.1", "wrong")) // synced later
	if list, err := r.Next(10); err != nil || len(list) != 0 {
		t.Errorf("shown before it is on the disk: %+v, %v", list, err)
	}
	l.flush(false)
	<-woken
	if list, err := r.Next(10); err != nil || numbers(list) != "1" {
		t.Errorf("after the sync: %+v, %v", list, err)
	}
	cancel()
	for range woken { // closed soon
	}
}

// A reader that was away while the log dropped files goes on with what is left.
func TestReaderPassesOverWhatWasDropped(t *testing.T) {
	l := open(t, t.TempDir(), Options{FileBytes: 1000, TotalBytes: 4000})
	r := l.ReadAfter(0)
	write(t, l, ok("first"))
	if list, _ := r.Next(10); numbers(list) != "1" {
		t.Fatal(numbers(list))
	}
	for range 200 {
		write(t, l, ok("more"))
	}
	list, err := r.Next(1000)
	if err != nil || len(list) < 10 || list[0].Number < 100 || list[len(list)-1].Number != l.Last() {
		t.Errorf("%s, %v", numbers(list), err)
	}
}

// A stranger who does all he can, from many addresses with long and hostile texts,
// neither grows the log beyond its cap nor pushes out what administrators did.
func TestAStrangerCannotFillTheDisk(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	o := Options{FileBytes: 64 << 10, TotalBytes: 512 << 10, Burst: 100, Now: c.now}
	l := open(t, dir, o)
	write(t, l, ok("passcode.set"))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 12000 {
		hostile := strings.Repeat("\n\x1b\xff\u202e", random.IntN(400))
		write(t, l, fleet.AuditEntry{Actor: "device", Action: "passcode.refused", Device: fmt.Sprint(i, hostile), Object: hostile,
			Address: fmt.Sprintf("2001:db8::%x", i), Outcome: "refused", Reason: fmt.Sprint("wrong ", hostile)})
		if i%200 == 199 {
			c.add(30 * time.Second)
			l.flush(false)
		}
	}
	if size := folderSize(t, dir); size > o.TotalBytes+20000 {
		t.Errorf("the log holds %d bytes", size)
	}
	if kept := recent(t, l, Filter{Action: "passcode.set"}); len(kept) != 1 {
		t.Error("what the administrator did was pushed out")
	}
}

// Each field by itself, in the list and in each export: one line stays one line.
func TestInjectionInEachField(t *testing.T) {
	hostile := map[string]string{
		"newline": "a\r\n{\"format\":1,\"n\":7,\"actor\":\"root\"}", "escape": "\x1b]0;x\x07\x1b[2J", "nul": "a\x00b", "c1": "\u009b31m",
		"direction": "\u202egpj.exe\u2066", "separator": "a\u2028b\u2029c\u0085d", "long": strings.Repeat("x\n", 1<<16), "utf8": "\xff\xc0\xaf\xed\xa0\x80",
		"hidden": "a\u200b\ufeff\u00adb", "quote": "\"x\",\"y\"\r\n\"", "backslash": `\x0a\`,
	}
	fields := map[string]func(*fleet.AuditEntry) *string{
		"actor": func(e *fleet.AuditEntry) *string { return &e.Actor }, "action": func(e *fleet.AuditEntry) *string { return &e.Action },
		"object": func(e *fleet.AuditEntry) *string { return &e.Object }, "device": func(e *fleet.AuditEntry) *string { return &e.Device },
		"address": func(e *fleet.AuditEntry) *string { return &e.Address }, "reason": func(e *fleet.AuditEntry) *string { return &e.Reason },
		"outcome": func(e *fleet.AuditEntry) *string { return &e.Outcome },
	}
	for field, at := range fields {
		l := open(t, t.TempDir(), Options{})
		for name, value := range hostile {
			e := fleet.AuditEntry{Actor: "a", Action: "b." + name, Outcome: "ok"}
			*at(&e) = value
			write(t, l, e)
		}
		l.flush(true)
		entries := recent(t, l, Filter{})
		if len(entries) != len(hostile) {
			t.Errorf("%s: %d entries of %d writes", field, len(entries), len(hostile))
		}
		for _, e := range entries {
			if v := *at(&e); !isClean(v) || len(v) > 8*maxReason {
				t.Errorf("%s holds %.80q", field, v)
			}
		}
		for format, more := range map[string]int{FormatJSONLines: 0, FormatCSV: 1} {
			text := exported(t, l, Filter{}, format)
			if lines := strings.Count(text, "\n"); lines != len(hostile)+more || !isClean(strings.NewReplacer("\r\n", "", "\n", "").Replace(text)) {
				t.Errorf("%s as %s: %d lines", field, format, lines)
			}
		}
	}
}

// Numbers rise by one over rotation, dropped files and restarts at any entry.
func TestNumbersOverRestarts(t *testing.T) {
	dir := t.TempDir()
	o := Options{FileBytes: 400, TotalBytes: 1300}
	var last int64
	for i := range 60 {
		l := open(t, dir, o)
		for range 1 + i%3 {
			write(t, l, ok("x"))
		}
		page := recent(t, l, Filter{})
		for j := 1; j < len(page); j++ {
			if page[j].Number != page[j-1].Number-1 {
				t.Fatalf("start %d: %s", i, numbers(page))
			}
		}
		if page[0].Number <= last || page[len(page)-1].Number > last+1 {
			t.Fatalf("start %d: %s, the last before was %d", i, numbers(page), last)
		}
		last = page[0].Number
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
