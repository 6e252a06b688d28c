package bootimages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// glob is filepath.Glob of a pattern in a folder, whose own name is no pattern.
func glob(dir, pattern string) ([]string, error) {
	dir = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
	return filepath.Glob(filepath.Join(dir, pattern))
}

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
