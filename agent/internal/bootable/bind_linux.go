package bootable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Bind shows the kernel's file systems in the system at root, so that its own
// programs can be run in it. undo takes them away again, also when a program still
// uses one.
func Bind(root string) (undo func() error, err error) {
	var done []string
	undo = func() error {
		var errs []error
		for i := len(done) - 1; i >= 0; i-- {
			if err := unix.Unmount(done[i], unix.MNT_DETACH); err != nil {
				errs = append(errs, fmt.Errorf("unmount %s: %w", done[i], err))
			}
		}
		done = nil
		return errors.Join(errs...)
	}
	inside, err := os.OpenRoot(root)
	if err != nil {
		return undo, fmt.Errorf("open the system: %w", err)
	}
	defer inside.Close()
	for _, name := range []string{"dev", "proc", "sys"} {
		// A link in the place of the folder could lead a mount elsewhere.
		if info, err := inside.Lstat(name); err != nil {
			if err := inside.Mkdir(name, 0o755); err != nil {
				return undo, errors.Join(fmt.Errorf("make /%s: %w", name, err), undo())
			}
		} else if !info.IsDir() {
			return undo, errors.Join(fmt.Errorf("/%s of the system is no folder", name), undo())
		}
		at := filepath.Join(root, name)
		if err := unix.Mount("/"+name, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return undo, errors.Join(fmt.Errorf("show /%s in the system: %w", name, err), undo())
		}
		done = append(done, at)
		// What is mounted or unmounted below it later stays here.
		if err := unix.Mount("", at, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
			return undo, errors.Join(fmt.Errorf("show /%s in the system: %w", name, err), undo())
		}
	}
	return undo, nil
}
