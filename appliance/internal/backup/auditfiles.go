package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// auditEntries takes hold of the files of the audit log as far as they are written.
// They only grow, and one that is removed meanwhile stays readable while it is open.
func auditEntries(dir string) (list entries, err error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	for _, f := range files {
		name := path.Join(auditFolder, f.Name())
		if !auditName.MatchString(name) {
			continue
		}
		e, err := auditEntry(name, filepath.Join(dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the oldest goes when the log is full
		}
		if err != nil {
			return list, fmt.Errorf("read the audit log: %w", err)
		}
		list = append(list, e)
	}
	return list, nil
}

func auditEntry(name, file string) (entry, error) {
	f, err := os.Open(file)
	if err != nil {
		return entry{}, err
	}
	size, err := endOfLines(f)
	if err != nil {
		return entry{}, errors.Join(err, f.Close())
	}
	return entry{name: name, close: func() { _ = f.Close() }, write: func(_ context.Context, w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(f, 0, size))
		return err
	}}, nil
}

// endOfLines is the offset behind the last whole line: an entry is perhaps being
// written. It looks back from the end, a block at a time.
func endOfLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	block := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		start := max(0, end-int64(len(block)))
		part := block[:end-start]
		if _, err := f.ReadAt(part, start); err != nil {
			return 0, err
		}
		if n := wholeLines(part); n > 0 {
			return start + n, nil
		}
		end = start
	}
	return 0, nil
}
