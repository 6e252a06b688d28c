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
	lock *os.File // the folder itself, locked; on Windows a file in it
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
		if e.Name() != deploymentName && e.Name() != lockName {
			errs = append(errs, wipePath(filepath.Join(s.dir, e.Name()), e))
		}
	}
	// The deployment goes last: as long as it is there, the next start ends what
	// a power failure has left half done.
	if err := os.Remove(filepath.Join(s.dir, deploymentName)); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	errs = append(errs, s.leave())
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
	f, err := os.OpenFile(name, os.O_WRONLY|noFollow, 0)
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
