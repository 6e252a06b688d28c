package content

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/bootimages/bootimagetest"
	"slipway/tasksequence"
)

// windowsDisc makes a disc whose sources/install.wim is that of a synthetic Windows, or
// the file that from names; empty: it has none.
func windowsDisc(t *testing.T, onDisc map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if onDisc == nil {
		install := filepath.Join(dir, "install.wim")
		if err := (bootimagetest.InstalledWindows{}).WriteWIM(install, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		onDisc = map[string]string{"sources/install.wim": install}
	}
	iso := filepath.Join(dir, "Win11.ISO")
	if err := (bootimagetest.WindowsSource{OnDisc: onDisc}).WriteISO(iso, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return iso
}

// A disc of Windows is kept, and its images are taken off it: read by name, applied by
// WinPE as they are and by Linux in the form for pipes. A boot image is built of the disc.
func TestADiscOfWindows(t *testing.T) {
	s := open(t)
	iso := windowsDisc(t, nil)
	v := s.must(t, Import{Name: "Windows 11", Purpose: "operatingsystem", Path: iso})
	m, err := s.manifests.get(s.blobs, v.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range m.Files {
		got = append(got, f.Path+" "+f.Form+" of "+f.Original)
	}
	if want := "Win11.ISO  of , install.pipable.wim " + wire.FormPipableWIM + " of install.wim, install.wim  of Win11.ISO"; strings.Join(got, ", ") != want {
		t.Errorf("it holds %q, want %q", got, want)
	}
	if !strings.Contains(v.Notes, "install.wim was taken off the disc Win11.ISO") {
		t.Errorf("the notes: %q", v.Notes)
	}
	list, err := s.WindowsImages(v.Item, v.Version)
	if err != nil || len(list) != 1 || list[0].Path != "install.wim" || len(list[0].Images) != 2 || list[0].Images[1].Name != "Windows 11 Pro" || list[0].Images[1].Version == "" {
		t.Errorf("%+v, %v", list, err)
	}
	dir := t.TempDir()
	if err := s.LayOut(t.Context(), tasksequence.Reference{ID: v.Item, Version: v.Version}, dir); err != nil {
		t.Fatal(err)
	}
	if left := filesIn(t, dir); len(left) != 1 || filepath.Base(left[0]) != "Win11.ISO" {
		t.Errorf("a boot image is built of %q", left)
	}
	if left := filesIn(t, s.blobs.incoming()); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Discs that hold no images of Windows, or none that can be had, and those for another
// purpose.
func TestOtherDiscs(t *testing.T) {
	s := open(t)
	plain := windowsDisc(t, map[string]string{"sources/install.wim": ""})
	if v := s.must(t, Import{Name: "No Windows", Purpose: "operatingsystem", Path: plain}); v.Files != 1 || v.Notes != "" {
		t.Errorf("%+v", v)
	}
	whole := windowsDisc(t, nil)
	if v := s.must(t, Import{Name: "Only a file", Purpose: "other", Path: whole}); v.Files != 1 {
		t.Errorf("%+v", v)
	}
	if v := s.must(t, Import{Name: "As it is", Purpose: "operatingsystem", Path: whole, AsIs: true}); v.Files != 1 {
		t.Errorf("%+v", v)
	}
	split := windowsDisc(t, map[string]string{"sources/install.wim": "", "sources/install.swm": whole})
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{split: "install.swm", file(t, "cut.iso", data[:len(data)/2]): "cut short or damaged", file(t, "none.iso", random(1, 4096)): "cut short or damaged"} {
		if _, err := s.add(t, Import{Name: "Bad", Purpose: "operatingsystem", Path: path}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want)
		}
	}
	if _, err := s.Item("Bad"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was refused is there: %v", err)
	}
}
