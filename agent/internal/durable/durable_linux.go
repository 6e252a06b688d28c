package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// OpenFolder is Folder for one that is open.
func OpenFolder(f *os.File) error { return f.Sync() }

// FileSystem waits until all that was written to the file system of an opened file is on
// the disk, and closes the file. It takes what os.Open returns.
func FileSystem(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
