package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// exportEntries are those of the golden log, a merged one, and one that would do
// harm in a spreadsheet, a terminal or a reader of lines.
func exportEntries() []fleet.AuditEntry {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	return append(goldenEntries(),
		fleet.AuditEntry{Time: at, Actor: "device", Action: "passcode.refused", Outcome: "refused", Reason: "wrong", Count: 17, First: at.Add(-time.Minute)},
		fleet.AuditEntry{Time: at.Add(time.Second), Actor: "=HYPERLINK(\"http://192.0.2.1\")", Action: "+1", Object: "@SUM(A1)\n2", Device: "-2+3", Address: "＝1", Outcome: "ok",
			Reason: "a;=cmd|' /C calc'!A0, \"b\"; \"-1\u202e, ten, " + strings.Repeat("long ", 100)},
		fleet.AuditEntry{Time: at.Add(time.Hour), Actor: "local", Action: "account.added", Object: "eva\xff", Outcome: "ok"})
}

func exported(t *testing.T, l *Log, f Filter, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := l.Export(t.Context(), &b, f, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestExportGolden(t *testing.T) {
	l := open(t, t.TempDir(), Options{FileBytes: 300, TotalBytes: 1 << 20})
	for _, e := range exportEntries() {
		write(t, l, e)
	}
	for _, format := range []string{FormatJSONLines, FormatCSV} {
		have := exported(t, l, Filter{}, format)
		file := "testdata/export." + format
		if *update {
			if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if have != string(want) {
			t.Errorf("%s is now\n%s\nand was\n%s", format, have, want)
		}
	}
}

// What is exported can be read back: whole entries, in order; a table of equal
// rows in which no cell is a formula.
func TestExportIsReadBack(t *testing.T) {
	l := open(t, t.TempDir(), Options{FileBytes: 300, TotalBytes: 1 << 20})
	for _, e := range exportEntries() {
		write(t, l, e)
	}
	lines := strings.Split(strings.TrimSuffix(exported(t, l, Filter{}, FormatJSONLines), "\n"), "\n")
	for i, line := range lines {
		var e fleet.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Number != int64(i+1) || e.Format != 1 {
			t.Errorf("line %d: %+v, %v", i+1, e, err)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(exported(t, l, Filter{}, FormatCSV))).ReadAll()
	if err != nil || len(rows) != len(lines)+1 || len(lines) != len(exportEntries()) {
		t.Fatalf("%d rows, %d lines, %v", len(rows), len(lines), err)
	}
	for _, r := range rows {
		for _, c := range r {
			if strings.IndexAny(c, "=+-@\t\r＝＋－＠") == 0 {
				t.Errorf("the cell %q is a formula", c)
			}
		}
	}
	if got := exported(t, l, Filter{Action: "passcode."}, FormatJSONLines); strings.Count(got, "\n") != 3 {
		t.Errorf("filtered: %s", got)
	}
	if err := l.Export(t.Context(), &bytes.Buffer{}, Filter{}, "xml"); !errors.Is(err, ErrFormat) {
		t.Errorf("another format: %v", err)
	}
}

func TestExportEndsWithItsReader(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	write(t, l, ok("one"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Export(ctx, &bytes.Buffer{}, Filter{}, FormatCSV); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// writerFunc is a writer made of a function.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// While it is exported the log goes on, turns over its files and drops the oldest:
// the export has what was there at its beginning and was not dropped, in order.
func TestExportWhileWriting(t *testing.T) {
	l := open(t, t.TempDir(), Options{FileBytes: 3000, TotalBytes: 60000})
	n := 0
	more := func(count int) {
		for range count {
			n++
			write(t, l, ok(fmt.Sprintf("step.%d", n)))
		}
	}
	more(600)
	_, last := l.segments()
	var got bytes.Buffer
	err := l.Export(t.Context(), writerFunc(func(p []byte) (int, error) {
		more(50)
		return got.Write(p)
	}), Filter{}, FormatJSONLines)
	if err != nil {
		t.Fatal(err)
	}
	var before int64
	for line := range strings.Lines(got.String()) {
		var e fleet.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Number <= before {
			t.Fatalf("after %d: %q, %v", before, line, err)
		}
		before = e.Number
	}
	if before != last {
		t.Errorf("the export ends with %d, the log stood at %d", before, last)
	}
}

// An export of a large log needs no more memory than one of a small log.
func TestExportNeedsNoMemory(t *testing.T) {
	dir := t.TempDir()
	number := 0
	for seq := 1; seq <= 6; seq++ {
		var b bytes.Buffer
		for b.Len() < 4<<20 {
			number++
			fmt.Fprintf(&b, `{"format":1,"n":%d,"t":"2026-11-21T08:00:00Z","actor":"local","action":"a.b","outcome":"ok","reason":"%s"}`+"\n", number, strings.Repeat("r", 300))
		}
		if err := os.WriteFile(filepath.Join(dir, segmentName(seq)), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, dir, Options{})
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	start, peak, written, looks := m.HeapAlloc, uint64(0), 0, 0
	err := l.Export(t.Context(), writerFunc(func(p []byte) (int, error) {
		if written += len(p); written>>21 > looks {
			looks++
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		return len(p), nil
	}), Filter{}, FormatCSV)
	if err != nil || looks < 5 {
		t.Fatal(looks, err)
	}
	if peak > start+(1<<20) {
		t.Errorf("%d bytes more were in use while %d were exported", peak-start, written)
	}
}

func FuzzCell(f *testing.F) {
	f.Add("=1+1")
	f.Add(" \";@x\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := cell(s)
		for part := range strings.SplitSeq(out, ";") {
			if strings.IndexAny(strings.TrimLeft(part, " \""), formulaStarts) == 0 {
				t.Errorf("%q became %q", s, out)
			}
		}
		if !isClean(out) {
			t.Errorf("%q became %q", s, out)
		}
	})
}
