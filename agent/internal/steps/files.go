package steps

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// LocalFiles is the file system; Dir is where temporary files go (in memory, where the machine has such).
type LocalFiles struct{ Dir string }

// Temporary implements Files.
func (f LocalFiles) Temporary(pattern string) (string, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(f.Dir, pattern)
	if err != nil {
		return "", err
	}
	return filepath.Clean(file.Name()), file.Close()
}

// Write implements Files.
func (LocalFiles) Write(path string, text []byte) error { return os.WriteFile(path, text, 0o600) }

// Read implements Files.
func (LocalFiles) Read(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("the file is longer than %d bytes", limit)
	}
	return text, err
}

// Remove implements Files.
func (LocalFiles) Remove(path string) error { return os.Remove(path) }
