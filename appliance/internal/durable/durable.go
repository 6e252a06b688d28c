// Package durable waits until names are on the disk, where a file's own Sync does not do,
// and replaces files so that they are whole whenever power is lost.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Folder waits until the disk has the names in a folder, as after a rename.
func Folder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync the folder %s: %w", name, err)
	}
	return nil
}

// Replace makes or replaces a file, readable by its owner only. When it returns nil the
// disk has it; until then the file is whole or as it was. unfinished is the pattern of
// os.CreateTemp by which it is named meanwhile; a process that is killed leaves such a
// file behind.
func Replace(path, unfinished string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return Folder(dir)
}
