package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/raft-wal/types"
	"golang.org/x/sys/unix"

	"slipway/appliance/internal/durable"
)

// files is the file system as the log uses it (types.VFS). A new segment appears
// under its name only when all its space is taken and it is durable, so a segment
// that is missing or short later was not left so by a crash.
type files struct {
	created func(name string) error // told before a new segment is used
	broken  atomic.Bool             // a sync failed: what the disk holds is unknown
}

const newSuffix = ".new"

// segmentSlack is the space a segment file has beyond its size limit: the batch
// that reaches the limit may pass it. It is part of the folder's format.
const segmentSlack = 256 << 10

// ListDir implements types.VFS.
func (v *files) ListDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Create implements types.VFS.
func (v *files) Create(dir, name string, size uint64) (types.WritableFile, error) {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path+newSuffix, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := v.prepare(f, path, int64(size)+segmentSlack); err != nil {
		return nil, errors.Join(err, f.Close(), removeIfThere(path+newSuffix))
	}
	return &syncFile{File: f, files: v}, nil
}

// prepare takes the space, makes it durable and gives the file its name.
func (v *files) prepare(f *os.File, path string, size int64) error {
	if err := allocate(f, size); err != nil {
		return fmt.Errorf("take the space for a log file: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync a log file: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("log file %s: %w", path, fs.ErrExist)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("name a log file: %w", err)
	}
	if err := durable.Folder(filepath.Dir(path)); err != nil {
		return err
	}
	return v.created(filepath.Base(path))
}

// allocate gives f its full size with space behind it. A file system that cannot
// promise space gets a file of that size without the promise.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.Truncate(size)
	}
	return err
}

// Delete implements types.VFS.
func (v *files) Delete(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		return err
	}
	return durable.Folder(dir)
}

// OpenReader implements types.VFS.
func (v *files) OpenReader(dir, name string) (types.ReadableFile, error) {
	return os.Open(filepath.Join(dir, name))
}

// OpenWriter implements types.VFS.
func (v *files) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &syncFile{File: f, files: v}, nil
}

// syncFile makes writes durable with fdatasync: segments have their full size from
// the start, so no other metadata matters. After a failed sync the kernel may have
// dropped the data and calls it clean, so the log must not be trusted any more.
type syncFile struct {
	*os.File
	files *files
}

// Sync implements types.WritableFile.
func (f *syncFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			f.files.broken.Store(true)
			return fmt.Errorf("sync the log: %w", err)
		}
		return nil
	}
}

// Patterns of what a crash leaves half made.
const (
	newFiles      = "*" + newSuffix   // files without their name yet
	halfSnapshots = "snapshots/*.tmp" // snapshots that were not finished
)

// removeLeftovers deletes what a pattern below dir matches.
func removeLeftovers(dir, pattern string) error {
	names, err := fs.Glob(os.DirFS(dir), pattern) // the folder's own name is no pattern
	if err != nil {
		return fmt.Errorf("look for unfinished files: %w", err)
	}
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove an unfinished file: %w", err)
		}
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
