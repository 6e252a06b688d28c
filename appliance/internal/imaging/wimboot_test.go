package imaging

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

// wimbootFile is made as wimboot's prefix.S and banner say, and does nothing.
func wimbootFile(version string) []byte {
	b := append(bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemEFI), make([]byte, 1024)...)
	b[0x1fe], b[0x1ff] = 0x55, 0xaa
	copy(b[0x202:], "HdrS")
	copy(b[1200:], "\n\nwimboot "+version+" -- Windows Imaging Format bootloader -- https://ipxe.org/wimboot\n")
	return b
}

func TestWimbootIsTakenInAndServed(t *testing.T) {
	w := newWorld(t)
	by := Actor{Name: "ada"}
	if got, err := w.Wimboot(); err != nil || got.Present {
		t.Errorf("before: %+v, %v", got, err)
	}
	if err := w.RemoveWimboot(t.Context(), by); err != nil {
		t.Error(err)
	}
	b := wimbootFile("v2.8.0")
	if got, err := w.AddWimboot(t.Context(), by, bytes.NewReader(b)); err != nil || got.Version != "v2.8.0" || !got.BIOS || got.Warning != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	f, err := w.Loaders().Open("wimboot")
	if err != nil || f.Size != int64(len(b)) {
		t.Fatalf("%+v, %v", f, err)
	}
	f.Close()
	arm := bytes.Replace(wimbootFile("v2.8.0"), []byte{0x64, 0x86}, []byte{0x64, 0xaa}, 1)
	for name, file := range map[string][]byte{
		"empty": nil, "a kernel": bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemEFI), "a page": []byte("<html>wimboot v2.8.0 -- Windows Imaging Format bootloader</html>"),
		"for ARM": arm, "too large": append(wimbootFile("v2.8.0"), make([]byte, MaxWimboot)...),
	} {
		if _, err := w.AddWimboot(t.Context(), by, bytes.NewReader(file)); !errors.Is(err, ErrNoWimboot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := w.Wimboot(); err != nil || got.Version != "v2.8.0" || got.Size != int64(len(b)) {
		t.Errorf("after what was refused: %+v, %v", got, err)
	}
	if got, _ := w.AddWimboot(t.Context(), by, bytes.NewReader(wimbootFile("v2.9.0"))); !strings.Contains(got.Warning, "25H2") {
		t.Errorf("2.9.0: %+v", got)
	}
	if err := os.WriteFile(filepath.Join(w.data, "windows/wimboot"), []byte("by hand"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Wimboot(); err != nil || !got.Present || !strings.Contains(got.Warning, "not wimboot") {
		t.Errorf("put there by hand: %+v, %v", got, err)
	}
	if err := w.RemoveWimboot(t.Context(), by); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Loaders().Open("wimboot"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is served after it was removed: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(w.data, "windows")); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

func FuzzWimboot(f *testing.F) {
	f.Add(wimbootFile("v2.8.0"))
	f.Add(wimbootFile("v2.8.0")[:700])
	f.Add(wimbootFile("v2.8\r0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := checkWimboot(b)
		if (err == nil) != w.Present || err != nil && !errors.Is(err, ErrNoWimboot) {
			t.Errorf("%+v, %v", w, err)
		}
		if strings.ContainsFunc(w.Version, func(r rune) bool { return r <= ' ' }) {
			t.Errorf("the version is %q", w.Version)
		}
	})
}
