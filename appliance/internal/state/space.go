package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// space watches the room on the disk and holds the reserve: a file of a fixed size
// that is given up when the log itself needs room that others took. Writes stop
// long before that, at the low mark, so that the reserve is there for what must go
// on: elections, a new segment, a snapshot, a start on a full disk, and removals,
// which are how an administrator makes room.
type space struct {
	dir     string
	reserve int64
	mu      sync.Mutex
	held    bool
}

const reserveName = "reserve"

// newSpace takes over the reserve that is there.
func newSpace(dir string, reserve int64) *space {
	_, err := os.Stat(filepath.Join(dir, reserveName))
	return &space{dir: dir, reserve: reserve, held: err == nil}
}

// free is the number of bytes the disk has left for this process.
func (s *space) free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return 0, fmt.Errorf("look for free space: %w", err)
	}
	return int64(st.Bavail) * st.Frsize, nil //nolint:gosec // fits: a disk of 8 EiB
}

// need answers ErrFull unless that many bytes are free.
func (s *space) need(bytes int64) error {
	free, err := s.free()
	if err == nil && free < bytes {
		err = ErrFull
	}
	return err
}

// release gives the reserve up and says whether there was one.
func (s *space) release() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.held
	s.held = removeIfThere(filepath.Join(s.dir, reserveName)) != nil && was
	return was && !s.held
}

// hold takes the reserve when it is not held and leaves at least low bytes free.
func (s *space) hold(low int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return nil
	}
	if free, err := s.free(); err != nil || free < low+s.reserve {
		return err
	}
	path := filepath.Join(s.dir, reserveName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("take the reserve: %w", err)
	}
	if err := errors.Join(allocate(f, s.reserve), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("take the reserve: %w", err), removeIfThere(path))
	}
	s.held = true
	return nil
}

// fullError makes a disk that ran full mid-way ErrFull.
func fullError(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
