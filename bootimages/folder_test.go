package bootimages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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

// A file that is too large is refused before it is read: here 64 GiB of nothing.
func TestLargeFilesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "install.iso"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(64<<30), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := readFolder(dir, func(string) bool { return true }); !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), "more than 256 MiB") {
		t.Errorf("%v", err)
	}
}
