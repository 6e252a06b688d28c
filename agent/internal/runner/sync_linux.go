package runner

import (
	"errors"
	"os"
)

// syncFolder waits until the disk has the names in a folder.
func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
