package bootable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// ResetIdentity takes from a system what only one machine may have: the machine id is
// emptied, so that systemd makes a new one at the next start; SSH host keys and saved
// random numbers are removed. It returns what was changed.
func ResetIdentity(root *os.Root) ([]string, error) {
	var done []string
	if info, err := root.Stat("etc/machine-id"); err != nil || info.Size() > 0 {
		if err := write(root, "etc/machine-id", nil, 0o444); err != nil {
			return done, err
		}
		done = append(done, "/etc/machine-id emptied")
	}
	gone := []string{"var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "boot/efi/loader/random-seed"}
	// A link here leads to /etc/machine-id; a file is a copy.
	if info, err := root.Lstat("var/lib/dbus/machine-id"); err == nil && info.Mode().IsRegular() {
		gone = append(gone, "var/lib/dbus/machine-id")
	}
	keys, err := fs.ReadDir(root.FS(), "etc/ssh")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, fmt.Errorf("look for SSH host keys: %w", err)
	}
	for _, e := range keys {
		if strings.HasPrefix(e.Name(), "ssh_host_") {
			gone = append(gone, "etc/ssh/"+e.Name())
		}
	}
	for _, name := range gone {
		err := root.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return done, fmt.Errorf("remove /%s: %w", name, err)
		}
		done = append(done, "/"+name+" removed")
	}
	return done, nil
}
