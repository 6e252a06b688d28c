package audit

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"slipway/fleet"
)

// maxPage is the most entries Recent returns at once.
const maxPage = 1000

// Recent returns up to n matching entries (100 when n is not positive, 1000 at
// most) with a number below before, newest first. A before of zero starts at the
// newest; the number of the last entry returned asks for the next page, and Newer
// with that of the first for the page before. Repeats that are still being merged
// are not among them.
func (l *Log) Recent(f Filter, before int64, n int) ([]fleet.AuditEntry, error) {
	if n <= 0 {
		n = 100
	}
	n = min(n, maxPage)
	segments, _ := l.segments()
	match := f.matcher()
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
		if out = collect(out, data, match, before, n); len(out) == n {
			break
		}
	}
	return out, nil
}

// Newer returns up to n matching entries (as in Recent) with a number above after:
// those next to it, newest first.
func (l *Log) Newer(f Filter, after int64, n int) ([]fleet.AuditEntry, error) {
	if n <= 0 {
		n = 100
	}
	n = min(n, maxPage)
	match := f.matcher()
	var out []fleet.AuditEntry
	err := l.forward(&position{after: after}, math.MaxInt64, func(e fleet.AuditEntry) error {
		if match(e) {
			out = append(out, e)
		}
		if len(out) == n {
			return errEnough
		}
		return nil
	})
	slices.Reverse(out)
	return out, err
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
func collect(out []fleet.AuditEntry, data []byte, match func(fleet.AuditEntry) bool, before int64, n int) []fleet.AuditEntry {
	for len(data) > 0 && len(out) < n {
		data = bytes.TrimSuffix(data, []byte("\n"))
		start := bytes.LastIndexByte(data, '\n') + 1
		e, ok := parse(data[start:])
		data = data[:start]
		if ok && (before <= 0 || e.Number < before) && match(e) {
			out = append(out, e)
		}
	}
	return out
}
