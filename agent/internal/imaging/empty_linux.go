package imaging

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Empty removes all that is below dir, on file systems mounted there too; their
// mount points stay. What keep names (relative paths) stays with all that is in it.
// Links are not followed.
func Empty(dir string, keep ...string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("empty the target: %w", err)
	}
	defer root.Close()
	if err := empty(root, ".", keep); err != nil {
		return fmt.Errorf("empty the target: %w", err)
	}
	return nil
}

func empty(root *os.Root, dir string, keep []string) error {
	list, err := entries(root, dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		name := path.Join(dir, e.Name())
		if kept, whole := keeps(keep, name); whole {
			continue
		} else if e.IsDir() {
			if err := empty(root, name, keep); err != nil {
				return err
			}
			if kept {
				continue
			}
		}
		if err := root.Remove(name); err != nil && !(e.IsDir() && errors.Is(err, unix.EBUSY)) {
			if e.IsDir() && errors.Is(err, unix.ENOTEMPTY) {
				continue // a mount point below it stayed
			}
			return err
		}
	}
	return nil
}

// entries lists a folder, sorted by nothing.
func entries(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.ReadDir(-1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, err
}

// keeps reports whether name is kept whole, or leads to something that is.
func keeps(keep []string, name string) (leads, whole bool) {
	for _, k := range keep {
		if k == name {
			return true, true
		}
		leads = leads || strings.HasPrefix(k, name+"/")
	}
	return leads, false
}
