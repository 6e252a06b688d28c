package bootimages

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
)

// The disk holds what the boot manager needs, under the names it looks for.
func TestWinPEDisk(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{Large: 200_000})
	i := w.built()
	r, size, err := w.OpenDisk(i)
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(w.dir, "disk.img")
	out, err := os.Create(disk)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(out, r)
	if err = errors.Join(err, r.Close(), out.Close()); err != nil || n != size {
		t.Fatalf("%d bytes of %d, %v", n, size, err)
	}
	for path, name := range map[string]string{"EFI/BOOT/BOOTX64.EFI": BootManager, "EFI/Microsoft/Boot/BCD": MediaStore, "boot/boot.sdi": BootSDI,
		"sources/boot.wim": BootWIM, "EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf": "wgl4_boot.ttf"} {
		got, err := exec.Command("mtype", "-i", disk+"@@1M", "::/"+path).Output()
		if err != nil || string(got) != string(w.read(i, name)) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	m, err := w.MakeMedium(t.Context(), i, MediaOptions{Kind: MediaUSB, Servers: []string{"192.0.2.99:8443"}})
	if err != nil {
		t.Fatal(err)
	}
	if sum, _, err := hashFile(disk); err != nil || m.SHA256 != sum || m.Size != size || len(m.Servers) != 1 || m.Servers[0] != w.o.Servers[0] {
		t.Errorf("the stick is not the disk: %+v, %v", m, err)
	}
	if err := m.Remove(); err != nil {
		t.Error(err)
	}
	w.noRemains()
	if _, _, err := w.OpenDisk(fleet.BootImage{ID: i.ID, Kind: KindLinux}); !errors.Is(err, ErrOption) {
		t.Errorf("a Linux image as this disk: %v", err)
	}
	if err := os.Remove(w.path(i, BootWIM)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.OpenDisk(i); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without its file: %v", err)
	}
}
