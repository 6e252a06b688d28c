package installed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Files in the folder. The session keeps its key and token beside them.
const (
	pidName        = "pid"
	deploymentName = "deployment" // the id of the unfinished deployment
)

// foreign returns the name of a file in the folder that no agent put there. All
// that is in the folder is wiped at the end: it must be the agent's alone.
func foreign(f *os.File) (string, error) {
	names, err := f.Readdirnames(0)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		base, _, _ := strings.Cut(name, ".") // "token.json.123": being written when the power failed
		if !slices.Contains([]string{pidName, deploymentName, "identity", "token", "address", "reports", "content"}, base) && !strings.HasPrefix(name, partPrefix) {
			return name, nil
		}
	}
	return "", nil
}

// state is the folder of an unfinished deployment: the agent's key, its token,
// which deployment it is. One agent at a time has it.
type state struct {
	dir  string
	lock *os.File // the folder itself, locked
}

// ErrRunning says that another agent has the folder.
var ErrRunning = errors.New("the agent runs here already")

// openState makes the folder, readable by its owner only, and locks it. The
// lock ends with the process.
func openState(dir string) (*state, error) {
	for try := 1; ; try++ {
		s, err := tryState(dir)
		switch {
		case s != nil:
			return s, nil
		case try < 1000 && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)):
			// The agent before us is removing the folder.
		default:
			return nil, err
		}
	}
}

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

// holder names the process that has the folder, as far as it told.
func (s *state) holder() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, pidName))
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}

// unfinished is the deployment that an earlier start began and did not end.
func (s *state) unfinished() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, deploymentName))
	return strings.TrimSpace(string(text))
}

// begin notes the deployment before its first step.
func (s *state) begin(id string) error {
	if s.unfinished() == id {
		return nil
	}
	if err := replace(filepath.Join(s.dir, deploymentName), id+"\n", 0o600); err != nil {
		return fmt.Errorf("keep the deployment's id: %w", err)
	}
	return nil
}

// close gives the folder up and leaves it as it is, for the next start.
func (s *state) close() error { return s.lock.Close() }

// wipe removes everything and gives the folder up. Files are overwritten before
// they are removed. That clears the blocks on file systems that write in place
// (ext4, XFS). It is no promise where they do not (btrfs, ZFS, snapshots) or
// where the disk itself writes elsewhere (any SSD): what may be left there is
// worth nothing because the appliance ends the token with the deployment.
func (s *state) wipe() error {
	entries, err := os.ReadDir(s.dir)
	errs := []error{err}
	for _, e := range entries {
		if e.Name() != deploymentName {
			errs = append(errs, wipePath(filepath.Join(s.dir, e.Name()), e))
		}
	}
	// The deployment goes last: as long as it is there, the next start ends what
	// a power failure has left half done.
	if err := os.Remove(filepath.Join(s.dir, deploymentName)); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	errs = append(errs, os.Remove(s.dir), s.lock.Close()) // in this order: the lock keeps others out until it is gone
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("wipe the agent's state: %w", err)
	}
	return nil
}

func wipePath(name string, e fs.DirEntry) error {
	if e.IsDir() {
		entries, err := os.ReadDir(name)
		errs := []error{err}
		for _, child := range entries {
			errs = append(errs, wipePath(filepath.Join(name, child.Name()), child))
		}
		return errors.Join(append(errs, os.Remove(name))...)
	}
	var err error
	if e.Type().IsRegular() {
		err = overwrite(name)
	}
	return errors.Join(err, os.Remove(name))
}

// overwrite fills a file with zeros and waits until the disk has them.
func overwrite(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 64<<10)
	for at := int64(0); at < info.Size(); at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), info.Size()-at)], at); err != nil {
			return err
		}
	}
	return f.Sync()
}
