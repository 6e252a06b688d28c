package installed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"

	"slipway/agent/internal/windowstarget"
)

// lockName is the file that one agent at a time has open for writing.
const lockName = pidName

// tryState is one try of openState.
func tryState(dir string) (*state, error) {
	if err := makePrivate(dir); err != nil {
		return nil, fmt.Errorf("the folder for the agent's state: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder for the agent's state: %w", err)
	}
	name, err := foreign(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("the folder for the agent's state: %w", err)
	}
	if name != "" {
		return nil, fmt.Errorf("the agent's state: %s holds other files (%s): name a folder for the agent alone", dir, quoted(name))
	}
	s := &state{dir: dir}
	return s, s.take()
}

// take opens the lock: others may read who has it, but not open it so.
func (s *state) take() error {
	name := filepath.Join(s.dir, lockName)
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	h, err := windows.CreateFile(wide, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_SHARE_READ, nil, windows.OPEN_ALWAYS, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return fmt.Errorf("%w%s: it has the folder %s", ErrRunning, s.holder(), s.dir)
	}
	if err != nil {
		return fmt.Errorf("lock the folder of the agent's state: %w", err)
	}
	s.lock = os.NewFile(uintptr(h), name)
	err = s.lock.Truncate(0)
	if err == nil {
		_, err = s.lock.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write to the folder of the agent's state: %w", err), s.lock.Close())
	}
	return nil
}

// leave gives the folder up and removes it: Windows removes nothing that is open.
func (s *state) leave() error {
	err := errors.Join(s.lock.Close(), os.Remove(filepath.Join(s.dir, lockName)))
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return nil // the next agent has it
	}
	return errors.Join(err, os.Remove(s.dir))
}

// makePrivate makes a folder of the agent's, or takes one that it or an administrator
// made before, and lets SYSTEM and the administrators in only.
func makePrivate(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return fmt.Errorf("%s is to be a folder", dir)
	case err == nil && strangersOwn(dir):
		return fmt.Errorf("%s belongs to somebody who is no administrator: remove it", dir)
	case err != nil && !os.IsNotExist(err):
		return err
	case err != nil:
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	return windowstarget.Protect(dir)
}
