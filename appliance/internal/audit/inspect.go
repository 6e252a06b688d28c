package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"slipway/fleet"
)

// inspect reads a file and tells its numbers, and how many of its bytes end in
// a whole entry. Zeroed or torn bytes at the end, as a power loss leaves them,
// are not counted.
func inspect(path string, seq int) (s segment, valid int64, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return s, 0, fmt.Errorf("audit: read %s: %w", segmentName(seq), err)
	}
	s = segment{seq: seq, size: int64(len(data))}
	end := bytes.LastIndexByte(data, '\n') + 1
	for end > 0 && s.last == 0 {
		start := bytes.LastIndexByte(data[:end-1], '\n') + 1
		if e, ok := parse(data[start : end-1]); ok {
			if e.Format > format {
				return s, 0, fmt.Errorf("audit: %s was written by a newer version (format %d, this one knows %d): start the newer version, or move the folder away", path, e.Format, format)
			}
			s.last = e.Number
			break
		}
		end = start
	}
	s.first = firstNumber(data[:end])
	return s, int64(end), nil
}

func firstNumber(data []byte) int64 {
	for line := range bytes.Lines(data) {
		if e, ok := parse(line); ok {
			return e.Number
		}
	}
	return 0
}

// parse reads one line. Fields it does not know are ignored: entries of the
// same format may have gained some.
func parse(line []byte) (e fleet.AuditEntry, ok bool) {
	err := json.Unmarshal(line, &e)
	return e, err == nil && e.Format > 0 && e.Number > 0
}
