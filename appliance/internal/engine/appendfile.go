package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"slipway/appliance/internal/state"
)

// fileFormat is the format number in the header line of every file.
const fileFormat = 1

// header is the first line of a file.
type header struct {
	Slipway    string `json:"slipway"` // what the file is: deployment-log, deployment-events
	Format     int    `json:"format"`
	Deployment string `json:"deployment"`
}

// appendFile is a file of lines that only grows, up to a cap. The first line is a
// header. Not safe for concurrent use.
type appendFile struct {
	file   *os.File
	size   int64
	cap    int64
	synced time.Time
}

// openAppend opens or makes a file. A last line that a crash left incomplete is
// cut off. visit is called with every complete line after the
// header and where it begins.
func openAppend(path string, h header, most int64, visit func(offset int64, line []byte)) (*appendFile, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", h.Slipway, full(err))
	}
	f := &appendFile{file: file, cap: most}
	if err := f.load(h, visit); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s of deployment %s: %w", h.Slipway, h.Deployment, err), file.Close())
	}
	return f, nil
}

func (f *appendFile) load(h header, visit func(offset int64, line []byte)) error {
	text, err := io.ReadAll(io.LimitReader(f.file, f.cap+1<<20))
	if err != nil {
		return err
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	if end < len(text) {
		if err := f.file.Truncate(int64(end)); err != nil {
			return err
		}
	}
	f.size = int64(end)
	first, rest, _ := bytes.Cut(text[:end], []byte("\n"))
	if end == 0 {
		return f.writeHeader(h)
	}
	if err := h.check(first); err != nil {
		return err
	}
	offset := int64(len(first)) + 1
	for line := range bytes.Lines(rest) {
		visit(offset, bytes.TrimRight(line, "\n"))
		offset += int64(len(line))
	}
	return nil
}

func (f *appendFile) writeHeader(h header) error {
	h.Format = fileFormat
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return f.append(append(line, '\n'))
}

// check reads a header line and says whether this version can go on with the file.
func (h header) check(line []byte) error {
	var found header
	if err := json.Unmarshal(line, &found); err != nil || found.Slipway != h.Slipway {
		return fmt.Errorf("the file does not begin as a %s does", h.Slipway)
	}
	if found.Format > fileFormat {
		return fmt.Errorf("the file has format %d: %w", found.Format, state.ErrNewer)
	}
	return nil
}

// append writes whole lines. When that fails, what was written of them is removed.
func (f *appendFile) append(lines []byte) error {
	n, err := f.file.Write(lines)
	if err == nil {
		f.size += int64(n)
		return nil
	}
	if n > 0 {
		err = errors.Join(err, f.file.Truncate(f.size))
	}
	return full(err)
}

// room reports whether n more bytes stay below the cap.
func (f *appendFile) room(n int) bool { return f.size+int64(n) <= f.cap }

// syncAfter syncs when the last time was a while ago.
func (f *appendFile) syncAfter(now time.Time, wait time.Duration) error {
	if now.Sub(f.synced) < wait {
		return nil
	}
	f.synced = now
	return full(f.file.Sync())
}

func (f *appendFile) close() error { return errors.Join(f.file.Sync(), f.file.Close()) }

// full marks the errors of a full disk as the state does.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", state.ErrFull, err)
	}
	return err
}
