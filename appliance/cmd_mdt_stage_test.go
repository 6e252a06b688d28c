package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What an import that was ended by force has left goes with the next one; what another
// import has under way stays, however long it takes.
func TestMDTImportRemovesWhatAnEndByForceLeft(t *testing.T) {
	parent := t.TempDir()
	other, err := newStaged(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer other.remove()
	left, young, foreign := filepath.Join(parent, "mdt-import-1"), filepath.Join(parent, "mdt-import-2"), filepath.Join(parent, "mdt-imports")
	for _, dir := range []string{left, young, foreign} {
		if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-time.Hour)
	for _, dir := range []string{other.dir, left, foreign} {
		if err := os.Chtimes(dir, before, before); err != nil {
			t.Fatal(err)
		}
	}
	s, err := newStaged(parent)
	if err == nil {
		err = dropStaged(parent)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what was left is still there: %v", err)
	}
	for _, dir := range []string{other.dir, young, foreign, s.dir} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	s.remove()
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("an import's own folder is still there: %v", err)
	}
}
