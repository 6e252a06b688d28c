package bootimages

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A folder of root certificates may hold links to them; one that leads nowhere is not
// left out without a word.
func TestRootCertificatesByLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "one.pem"), testCA(t), 0o644), os.WriteFile(filepath.Join(elsewhere, "two.pem"), testCA(t), 0o644),
		os.Symlink(filepath.Join(elsewhere, "two.pem"), filepath.Join(dir, "two.pem")), os.Symlink(elsewhere, filepath.Join(dir, "folder"))); err != nil {
		t.Fatal(err)
	}
	in := &winInputs{}
	if err := in.readRoots(dir); err != nil || len(in.roots) != 2 {
		t.Errorf("%d roots, %v", len(in.roots), err)
	}
	if err := os.Symlink("gone.pem", filepath.Join(dir, "three.pem")); err != nil {
		t.Fatal(err)
	}
	if err := (&winInputs{}).readRoots(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link that leads nowhere: %v", err)
	}
}
