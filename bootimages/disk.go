package bootimages

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// glob is filepath.Glob of a pattern in a folder, whose own name is no pattern.
func glob(dir, pattern string) ([]string, error) {
	names, err := fs.Glob(os.DirFS(dir), pattern)
	for i, name := range names {
		names[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return names, err
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
