package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

// A disc of Windows that is added as content shows its images by name, in the command
// line and in the console.
func TestADiscOfWindowsShowsItsImages(t *testing.T) {
	r := start(t, t.TempDir())
	dir := t.TempDir()
	install := filepath.Join(dir, "install.wim")
	if err := (bootimagetest.InstalledWindows{}).WriteWIM(install, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	iso := filepath.Join(dir, "Win11.iso")
	if err := (bootimagetest.WindowsSource{OnDisc: map[string]string{"sources/install.wim": install}}).WriteISO(iso, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	r.must("", "content", "add", "Windows 11", "--purpose", "operatingsystem", iso)
	if out := r.must("", "content", "show", "Windows 11:1"); !strings.Contains(out, "Images in install.wim:") || !strings.Contains(out, "Windows 11 Pro") || !strings.Contains(out, "Windows 11 Home") {
		t.Errorf("it shows\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(dir, "plain.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("", "content", "add", "Text", "--purpose", "other", filepath.Join(dir, "plain.txt"))
	if out := r.must("", "content", "show", "Text:1"); strings.Contains(out, "Images") {
		t.Errorf("what holds none shows\n%s", out)
	}
}
