// Package durable waits until what was written is on the disk, where files' own Sync does
// not do: for the names in a folder, and for all of a file system.
package durable

import (
	"errors"
	"os"
)

// Folder waits until the disk has the names in a folder, as after a rename.
func Folder(name string) error { return synced(os.Open(name)) }

// FolderIn is Folder for one below a root.
func FolderIn(root *os.Root, name string) error { return synced(root.Open(name)) }

func synced(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(OpenFolder(f), f.Close())
}
