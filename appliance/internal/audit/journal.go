package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"slipway/appliance/internal/durable"
	"slipway/fleet"
)

// format is the format number of the entries this version writes.
const format = 1

// segment is one file of the journal and the numbers it holds.
type segment struct {
	seq         int
	size        int64
	first, last int64 // zero when the file holds no entry
}

// journal is the numbered files on disk. It is not safe for concurrent use.
type journal struct {
	dir                   string
	fileBytes, totalBytes int64
	open                  func(path string) (file, error)

	closed  []segment // oldest first, the current one not among them
	current segment
	f       file
	damaged bool // a failed write left bytes behind that could not be cut off yet
	next    int64
}

func segmentName(seq int) string { return fmt.Sprintf("audit-%08d.jsonl", seq) }

func (j *journal) path(seq int) string { return filepath.Join(j.dir, segmentName(seq)) }

// load finds the files there are, repairs the newest one and opens it. It
// returns how many bytes of an unfinished entry were cut off.
func (j *journal) load() (cut int64, err error) {
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return 0, fmt.Errorf("audit: make folder: %w", err)
	}
	seqs, err := listSegments(j.dir)
	if err != nil {
		return 0, fmt.Errorf("audit: list %s: %w", j.dir, err)
	}
	j.next = 1
	for i, seq := range seqs {
		s, valid, err := inspect(j.path(seq), seq)
		if err != nil {
			return 0, err
		}
		if s.last >= j.next {
			j.next = s.last + 1
		}
		if i == len(seqs)-1 {
			cut = s.size - valid
			s.size = valid
			j.current = s
		} else {
			j.closed = append(j.closed, s)
		}
	}
	if len(seqs) == 0 {
		j.current = segment{seq: 1}
	}
	return cut, j.openCurrent(cut > 0)
}

func listSegments(dir string) ([]int, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var seqs []int
	for _, f := range files {
		var seq int
		if _, err := fmt.Sscanf(f.Name(), "audit-%d.jsonl", &seq); err == nil && f.Name() == segmentName(seq) {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs, nil
}

func (j *journal) openCurrent(cut bool) error {
	f, err := j.open(j.path(j.current.seq))
	if err != nil {
		return fmt.Errorf("audit: open %s: %w", segmentName(j.current.seq), err)
	}
	if cut {
		if err := f.Truncate(j.current.size); err != nil {
			f.Close()
			return fmt.Errorf("audit: cut unfinished entry off %s: %w", segmentName(j.current.seq), err)
		}
	}
	// Best effort: some file systems cannot allocate ahead, and a full disk
	// says so again at the first write.
	_ = f.Reserve(j.fileBytes)
	j.f = f
	return durable.Folder(j.dir)
}

// append numbers the entry and writes it. When the write fails nothing of it
// remains and the number is free again.
func (j *journal) append(e fleet.AuditEntry) (fleet.AuditEntry, error) {
	e.Format, e.Number = format, j.next
	line, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("audit: encode: %w", err)
	}
	line = append(line, '\n')
	if err := j.mend(); err != nil {
		return e, err
	}
	if _, err := j.f.Write(line); err != nil {
		j.damaged = true
		return e, fmt.Errorf("audit: write: %w", errors.Join(err, j.mend()))
	}
	j.current.size += int64(len(line))
	if j.current.first == 0 {
		j.current.first = e.Number
	}
	j.current.last = e.Number
	j.next++
	return e, nil
}

// mend cuts off what a failed write left behind.
func (j *journal) mend() error {
	if !j.damaged {
		return nil
	}
	if err := j.f.Truncate(j.current.size); err != nil {
		return fmt.Errorf("audit: cut off a failed write: %w", err)
	}
	_ = j.f.Reserve(j.fileBytes) // cutting gave the allocation back
	j.damaged = false
	return nil
}

// full reports whether the current file is due for rotation.
func (j *journal) full() bool { return j.current.size >= j.fileBytes }

// rotate closes the current file and begins the next one. On failure the
// current file stays in use.
func (j *journal) rotate() error {
	if err := j.mend(); err != nil {
		return err
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("audit: sync: %w", err)
	}
	next, err := j.open(j.path(j.current.seq + 1))
	if err != nil {
		return fmt.Errorf("audit: begin %s: %w", segmentName(j.current.seq+1), err)
	}
	_ = next.Reserve(j.fileBytes)
	_ = j.f.Truncate(j.current.size) // gives back blocks allocated ahead and not needed
	j.f.Close()
	j.closed = append(j.closed, j.current)
	j.current = segment{seq: j.current.seq + 1}
	j.f = next
	return durable.Folder(j.dir)
}

// shrink removes the oldest files until a full current file fits under the
// total, and returns those removed.
func (j *journal) shrink() ([]segment, error) {
	var sum int64
	for _, s := range j.closed {
		sum += s.size
	}
	var gone []segment
	for len(j.closed) > 0 && sum+j.fileBytes > j.totalBytes {
		old := j.closed[0]
		if err := os.Remove(j.path(old.seq)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return gone, fmt.Errorf("audit: remove oldest file: %w", err)
		}
		sum -= old.size
		j.closed = j.closed[1:]
		gone = append(gone, old)
	}
	if len(gone) == 0 {
		return nil, nil
	}
	return gone, durable.Folder(j.dir)
}
