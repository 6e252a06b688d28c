package windowstarget

import (
	"errors"
	"os"
)

// syncFolder waits until the disk has the names in a folder.
func syncFolder(volume *os.Root, dir string) error {
	f, err := volume.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
