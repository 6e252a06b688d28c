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
	"regexp"
)

// folderEntries takes hold of the files of a folder whose names match, each as far as end
// says. They are only added to or replaced under their name, and one that is removed
// meanwhile stays readable while it is open.
func folderEntries(data, folder string, names *regexp.Regexp, end func(*os.File) (int64, error)) (list entries, err error) {
	files, err := os.ReadDir(filepath.Join(data, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the folder %s: %w", folder, err)
	}
	for _, f := range files {
		name := path.Join(folder, f.Name())
		if !names.MatchString(name) {
			continue
		}
		e, err := fileEntry(name, filepath.Join(data, folder, f.Name()), end)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the oldest of the audit log goes when it is full
		}
		if err != nil {
			return list, fmt.Errorf("read the folder %s: %w", folder, err)
		}
		list = append(list, e)
	}
	return list, nil
}

func fileEntry(name, file string, end func(*os.File) (int64, error)) (entry, error) {
	f, err := os.Open(file)
	if err != nil {
		return entry{}, err
	}
	size, err := end(f)
	if err != nil {
		return entry{}, errors.Join(err, f.Close())
	}
	return entry{name: name, close: func() { _ = f.Close() }, write: func(_ context.Context, w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(f, 0, size))
		return err
	}}, nil
}

// wholeFile is the size of a file that is only ever replaced.
func wholeFile(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
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
