package bootimages

import (
	"errors"
	"os"
)

// syncFile makes a file's content durable.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder makes a folder's entries durable.
func syncFolder(path string) error { return syncFile(path) }
