package targetstate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"slipway/agent/internal/durable"
)

// Save writes the files of from, the agent's state in memory, and the deployment's id
// into Folder below root. It is on the disk when Save returns; what is there
// already with the same content is left alone. Links on the way are not followed.
func Save(from, root, deployment string) error { return SaveIn(from, root, Folder, deployment) }

// SaveIn is Save into another folder below root; name has slashes.
func SaveIn(from, root, name, deployment string) error {
	target, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the installed system: %w", err)
	}
	defer target.Close()
	dir := strings.TrimPrefix(name, "/")
	if err := makeFolder(target, dir); err != nil {
		return fmt.Errorf("make the folder for the agent's state: %w", err)
	}
	folder, err := target.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder for the agent's state: %w", err)
	}
	defer folder.Close()
	changed, err := copyFiles(from, folder)
	if err != nil {
		return err
	}
	more, err := put(folder, DeploymentFile, []byte(deployment+"\n"))
	if err != nil {
		return err
	}
	if changed || more {
		return syncTree(target, dir)
	}
	return nil
}

// makeFolder makes the folder, which nobody but root may enter.
func makeFolder(root *os.Root, dir string) error {
	if err := root.MkdirAll(path.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return root.Chmod(dir, 0o700)
}

func copyFiles(from string, to *os.Root) (changed bool, err error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return false, fmt.Errorf("read the agent's state: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !kept(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(err, fs.ErrNotExist) { // replaced or wiped just now
			continue
		}
		if err != nil {
			return changed, fmt.Errorf("read the agent's state: %w", err)
		}
		one, err := put(to, e.Name(), text)
		if err != nil {
			return changed, err
		}
		changed = changed || one
	}
	return changed, nil
}

// kept reports whether a file of the state in memory is needed after a restart.
// "token.json.123" is one that is being written.
func kept(name string) bool {
	return name == "token.json" || name == "identity.pem" || name == "reports.json"
}

// put writes a file whole or not at all, for its owner only.
func put(dir *os.Root, name string, text []byte) (changed bool, err error) {
	if old, err := dir.ReadFile(name); err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	part := ".slipway-" + name
	if err := dir.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("write %s of the agent's state: %w", name, err)
	}
	f, err := dir.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, fmt.Errorf("write %s of the agent's state: %w", name, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = dir.Rename(part, name)
	}
	if err != nil {
		return false, fmt.Errorf("write %s of the agent's state: %w", name, errors.Join(err, dir.Remove(part)))
	}
	return true, settle(dir, name)
}

// settle waits for a file that was renamed. On FAT its size and place belong to the
// entry in the folder, and the new entry gets them with the file, not with the folder:
// without it a power loss leaves an empty file.
func settle(dir *os.Root, name string) error {
	f, err := dir.OpenFile(name, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("write %s of the agent's state: %w", name, err)
	}
	return nil
}

// syncTree waits until the disk has the names, up to the root.
func syncTree(root *os.Root, dir string) error {
	for {
		f, err := root.Open(dir)
		if err != nil {
			return fmt.Errorf("write the agent's state: %w", err)
		}
		err = errors.Join(durable.OpenFolder(f), f.Close())
		if err != nil {
			return fmt.Errorf("write the agent's state: %w", err)
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}

// Wipe overwrites and removes the state below root: the deployment is over. It is no
// error when there is none.
func Wipe(root string) error { return WipeIn(root, Folder) }

// WipeIn is Wipe of another folder below root.
func WipeIn(root, name string) error {
	target, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the installed system: %w", err)
	}
	defer target.Close()
	dir := strings.TrimPrefix(name, "/")
	folder, err := target.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the folder of the agent's state: %w", err)
	}
	defer folder.Close()
	entries, err := fs.ReadDir(folder.FS(), ".")
	errs := []error{err}
	for _, e := range entries {
		if e.Type().IsRegular() {
			errs = append(errs, overwrite(folder, e.Name()))
		}
		if e.Name() != DeploymentFile {
			errs = append(errs, folder.RemoveAll(e.Name()))
		}
	}
	if err := folder.Remove(DeploymentFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	// Windows does not remove a folder that is open.
	if err := errors.Join(append(errs, folder.Close(), target.Remove(dir))...); err != nil {
		return fmt.Errorf("wipe the agent's state: %w", err)
	}
	return syncTree(target, path.Dir(dir))
}

func overwrite(dir *os.Root, name string) error {
	f, err := dir.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(make([]byte, min(info.Size(), maxFile)), 0)
	}
	return errors.Join(err, f.Sync(), f.Close())
}
