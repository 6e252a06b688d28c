package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFolder takes the folder for this process. The lock goes with the process,
// however it ends; the pid in the file only names the holder.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		pid := make([]byte, 32)
		n, _ := f.ReadAt(pid, 0)
		return nil, errors.Join(fmt.Errorf("%w (pid %s)", ErrLocked, strings.TrimSpace(string(pid[:n]))), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), f.Close())
	}
	if err := writePID(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writePID replaces the file's content. On a full disk the pid is left out: the
// lock itself needs no space.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock the data folder: %w", err)
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	if err != nil && !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("lock the data folder: %w", err)
	}
	return nil
}
