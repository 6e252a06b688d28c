package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, want := range []string{"one", "", "another"} {
		if err := Replace(path, ".new-*", []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	only(t, dir, "a")
}

// What cannot be put in place leaves the old file, and nothing beside it.
func TestReplaceThatFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "a"), ".new-*", []byte("one")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	only(t, dir, "a")
	if err := Replace(filepath.Join(dir, "none", "a"), ".new-*", nil); err == nil {
		t.Error("no folder, and no error")
	}
	if Folder(filepath.Join(dir, "none")) == nil {
		t.Error("a folder that is not there was synced")
	}
}

func only(t *testing.T, dir, want string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 || list[0].Name() != want {
		t.Errorf("%v, %v", list, err)
	}
}
