package installed

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// noFollow opens no link.
const noFollow = unix.O_NOFOLLOW

// syncFolder waits until the disk has the names in a folder.
func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
