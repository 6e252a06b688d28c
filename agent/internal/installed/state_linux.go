package installed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockName is no file of the folder: the folder itself is locked.
const lockName = ""

// tryState is one try of openState; it fails with fs.ErrNotExist or fs.ErrExist
// when the folder goes at the same moment.
func tryState(dir string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for the agent's state: %w", err)
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("the agent's state: %s is to be a folder", dir)
	case err != nil:
		return nil, fmt.Errorf("the folder for the agent's state: %w", err)
	}
	s := &state{dir: dir, lock: f}
	if err := s.take(); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// take locks the open folder and makes sure that it is private and still there.
func (s *state) take() error {
	err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w%s: it has the folder %s", ErrRunning, s.holder(), s.dir)
	} else if err != nil {
		return fmt.Errorf("lock the folder of the agent's state: %w", err)
	}
	info, err := s.lock.Stat()
	if err != nil {
		return fmt.Errorf("the folder for the agent's state: %w", err)
	}
	if now, err := os.Lstat(s.dir); err != nil || !os.SameFile(info, now) {
		return fmt.Errorf("the folder for the agent's state: %w", fs.ErrNotExist)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the agent's state: %s is to belong to who runs the agent", s.dir)
	}
	if name, err := foreign(s.lock); err != nil {
		return fmt.Errorf("the folder for the agent's state: %w", err)
	} else if name != "" {
		return fmt.Errorf("the agent's state: %s holds other files (%s): name a folder for the agent alone", s.dir, quoted(name))
	}
	if info.Mode().Perm() != 0o700 {
		if err := s.lock.Chmod(0o700); err != nil {
			return fmt.Errorf("close the folder of the agent's state to others: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, pidName), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return fmt.Errorf("write to the folder of the agent's state: %w", err)
	}
	return nil
}

// leave removes the empty folder and gives it up, in this order: the lock keeps others
// out until it is gone.
func (s *state) leave() error { return errors.Join(os.Remove(s.dir), s.lock.Close()) }
