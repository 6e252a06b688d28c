package targetstate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// TakeFrom copies the state in a folder below root, name with slashes, into the folder
// into and returns its deployment; "" when there is none. The deployment's file decides:
// without it what is there belongs to nothing.
func TakeFrom(root, name, into string) (string, error) {
	system, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer system.Close()
	dir := strings.TrimPrefix(name, "/")
	text, err := read(system, path.Join(dir, DeploymentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the kept state: %w", err)
	}
	entries, err := fs.ReadDir(system.FS(), dir)
	if err != nil {
		return "", fmt.Errorf("read the kept state: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !kept(e.Name()) {
			continue
		}
		content, err := read(system, path.Join(dir, e.Name()))
		if err != nil {
			return "", fmt.Errorf("read the kept state: %w", err)
		}
		if err := os.WriteFile(filepath.Join(into, e.Name()), content, 0o600); err != nil {
			return "", fmt.Errorf("take over the kept state: %w", err)
		}
	}
	return strings.TrimSpace(string(text)), nil
}

func read(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}
