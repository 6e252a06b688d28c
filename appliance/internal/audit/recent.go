package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// maxPage is the most entries Recent returns at once.
const maxPage = 1000

// Filter selects entries. Empty fields match everything.
type Filter struct {
	Text    string // contained in any field, upper and lower case alike
	Actor   string
	Action  string // the whole action, or a prefix that ends in a dot ("passcode.")
	Device  string
	Address string
	Outcome string
	Since   time.Time // not before
	Until   time.Time // before
}

func (f Filter) match(e fleet.AuditEntry) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	switch {
	case !is(f.Actor, e.Actor), !is(f.Device, e.Device), !is(f.Address, e.Address), !is(f.Outcome, e.Outcome):
		return false
	case !is(f.Action, e.Action) && !(strings.HasSuffix(f.Action, ".") && strings.HasPrefix(e.Action, f.Action)):
		return false
	case !f.Since.IsZero() && e.Time.Before(f.Since), !f.Until.IsZero() && !e.Time.Before(f.Until):
		return false
	}
	return f.Text == "" || f.containsText(e)
}

func (f Filter) containsText(e fleet.AuditEntry) bool {
	text := strings.ToLower(f.Text)
	return slices.ContainsFunc([]string{e.Actor, e.Action, e.Object, e.Device, e.Address, e.Outcome, e.Reason},
		func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

// Recent returns up to n matching entries (100 when n is not positive, 1000 at
// most) with a number below before, newest first. A before of zero starts at the
// newest; the number of the last entry returned asks for the next page. Repeats
// that are still being merged are not among them.
func (l *Log) Recent(f Filter, before int64, n int) ([]fleet.AuditEntry, error) {
	if n <= 0 {
		n = 100
	}
	n = min(n, maxPage)
	l.mu.Lock()
	segments := append(slices.Clone(l.journal.closed), l.journal.current)
	l.mu.Unlock()
	var out []fleet.AuditEntry
	for _, s := range slices.Backward(segments) {
		if s.first == 0 || before > 0 && s.first >= before {
			continue
		}
		data, err := readSegment(l.journal.path(s.seq), s.size)
		if errors.Is(err, os.ErrNotExist) {
			break // dropped meanwhile, and with it all older ones
		}
		if err != nil {
			return nil, fmt.Errorf("audit: read %s: %w", segmentName(s.seq), err)
		}
		if out = collect(out, data, f, before, n); len(out) == n {
			break
		}
	}
	return out, nil
}

// readSegment reads the first size bytes: whole entries only, whatever is being
// appended at this moment.
func readSegment(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if int64(n) == size {
		err = nil
	}
	return data[:n], err
}

// collect appends matching entries from the end of data to out, n in all.
func collect(out []fleet.AuditEntry, data []byte, f Filter, before int64, n int) []fleet.AuditEntry {
	for len(data) > 0 && len(out) < n {
		data = bytes.TrimSuffix(data, []byte("\n"))
		start := bytes.LastIndexByte(data, '\n') + 1
		e, ok := parse(data[start:])
		data = data[:start]
		if ok && (before <= 0 || e.Number < before) && f.match(e) {
			out = append(out, e)
		}
	}
	return out
}
