package bootimages

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A folder may be named by a link to it; a file is no folder.
func TestFoldersByLinks(t *testing.T) {
	dir := t.TempDir()
	folder, file := filepath.Join(dir, "folder"), filepath.Join(dir, "file")
	if err := errors.Join(os.MkdirAll(filepath.Join(folder, "etc"), 0o755), os.WriteFile(filepath.Join(folder, "etc/motd"), []byte("hello"), 0o644),
		os.WriteFile(file, nil, 0o644), os.Symlink("folder", filepath.Join(dir, "link")), os.Symlink(folder, filepath.Join(dir, "absolute"))); err != nil {
		t.Fatal(err)
	}
	all := func(string) bool { return true }
	for _, name := range []string{"folder", "link", "absolute"} {
		files, err := readFolder(filepath.Join(dir, name), all)
		if err != nil || len(files) != 1 || files[0].name != "etc/motd" {
			t.Errorf("%s: %+v, %v", name, files, err)
		}
	}
	if files, err := readFolder(file, all); !errors.Is(err, ErrOption) {
		t.Errorf("a file was taken for a folder: %+v, %v", files, err)
	}
	if _, err := readFolder(filepath.Join(dir, "none"), all); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
