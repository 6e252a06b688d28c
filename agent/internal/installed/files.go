package installed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/agent/internal/durable"
)

// partPrefix begins the names of files that are being written.
const partPrefix = ".slipway-"

// replace writes a file whole or not at all, also when power fails.
func replace(name, text string, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), partPrefix+"*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return durable.Folder(filepath.Dir(name))
}
