package bootimages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

// biosCD are the files for BIOS machines that start from CD, as on Windows' discs.
func biosCD() map[string]string {
	return map[string]string{"Windows/Boot/DVD/PCAT/etfsboot.com": strings.Repeat("etfs", 1024), "Windows/Boot/PCAT/bootmgr": "manager"}
}

// A CD holds everything twice: in the FAT file system that UEFI firmware reads, which is
// a partition too, and in its own, under the names of Windows' discs. The same image
// gives the same bytes.
func TestWinPEISO(t *testing.T) {
	withXorriso(t)
	w := newWinWorld(t, bootimagetest.WindowsSource{Large: 200_000, Extra: biosCD()})
	i := w.built()
	if strings.Contains(strings.Join(w.log, "\n"), "UEFI machines only") {
		t.Errorf("the build says %q", w.log)
	}
	m := mediumOf(t, w.Builder, i, MediaOptions{Kind: MediaISO})
	t.Setenv("TZ", "Asia/Tokyo")
	if again := mediumOf(t, w.Builder, i, MediaOptions{Kind: MediaISO, Servers: []string{"192.0.2.99:8443"}}); again.SHA256 != m.SHA256 || again.ID != m.ID {
		t.Errorf("%+v and %+v", m.Medium, again.Medium)
	}
	if m.Firmware != "UEFI and BIOS" || len(m.Servers) != 1 || m.Servers[0] != w.o.Servers[0] {
		t.Errorf("%+v", m)
	}
	report := run(t, nil, "xorriso", "-indev", m.Path, "-report_el_torito", "plain", "-report_system_area", "plain")
	for _, want := range []string{"BIOS  y   none  0x0000  0x00      8", "UEFI  y   none  0x0000  0x00      0", "El Torito img path :   1  /boot/etfsboot.com", "28732ac11ff8d211ba4b00a0c93ec93b"} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	}
	for name, file := range map[string]string{"/efi/boot/bootx64.efi": BootManager, "/efi/microsoft/boot/bcd": MediaStore, "/boot/boot.sdi": BootSDI, "/sources/boot.wim": BootWIM,
		"/boot/fonts/wgl4_boot.ttf": "wgl4_boot.ttf", "/boot/bcd": BIOSCDStore, "/bootmgr": CDManager, "/boot/etfsboot.com": CDLoader} {
		if !bytes.Equal(readISO(t, m.Path, name), w.read(i, file)) {
			t.Errorf("%s is not %s", name, file)
		}
	}
	// The names as a reader of plain ISO 9660 sees them: no version, no final dot.
	names := run(t, nil, "isoinfo", "-f", "-i", m.Path)
	for _, want := range []string{"/EFI/BOOT/BOOTX64.EFI\n", "/EFI/MICROSOFT/BOOT/BCD\n", "/BOOT/BOOT.SDI\n", "/SOURCES/BOOT.WIM\n", "/BOOTMGR\n", "/BOOT/FONTS/WGL4_BOOT.TTF\n"} {
		if !strings.Contains(names, want) {
			t.Errorf("no %q in\n%s", want, names)
		}
	}
	iso, err := os.ReadFile(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	partition := w.file("partition.img", string(iso[fatAt(t, iso):]))
	run(t, nil, "fsck.vfat", "-n", partition)
	for path, name := range map[string]string{"EFI/BOOT/BOOTX64.EFI": BootManager, "EFI/Microsoft/Boot/BCD": MediaStore, "boot/boot.sdi": BootSDI, "sources/boot.wim": BootWIM} {
		if got := run(t, nil, "mtype", "-i", partition, "::/"+path); got != string(w.read(i, name)) {
			t.Errorf("%s: %d bytes", path, len(got))
		}
	}
	if store := string(bytes.ReplaceAll(w.read(i, BIOSCDStore), []byte{0}, nil)); !strings.Contains(store, "winload.exe") || !strings.Contains(store, `\sources\boot.wim`) {
		t.Error("the store for BIOS does not start winload.exe of sources")
	}
	if left, err := os.ReadDir(m.folder); err != nil || len(left) != 1 {
		t.Errorf("beside the medium: %v, %v", left, err)
	}
}

// fatAt finds, by the El Torito catalogue, where the image for UEFI begins.
func fatAt(t *testing.T, iso []byte) uint32 {
	t.Helper()
	le := binary.LittleEndian
	catalogue := iso[le.Uint32(iso[17*2048+0x47:])*2048:]
	if catalogue[64] != 0x91 || catalogue[65] != 0xef || catalogue[96] != 0x88 {
		t.Fatalf("no entry for UEFI: % x", catalogue[:128])
	}
	return le.Uint32(catalogue[96+8:]) * 2048
}

// Without Microsoft's loader for it, a CD is for UEFI alone, and that is said.
func TestWinPEISOForUEFIAlone(t *testing.T) {
	withXorriso(t)
	w := newWinWorld(t, bootimagetest.WindowsSource{Extra: map[string]string{"Windows/Boot/PCAT/bootmgr": "manager"}})
	i := w.built()
	if !strings.Contains(strings.Join(w.log, "\n"), "CDs of this image start on UEFI machines only") {
		t.Errorf("the build says %q", w.log)
	}
	m := mediumOf(t, w.Builder, i, MediaOptions{Kind: MediaISO})
	report := run(t, nil, "xorriso", "-indev", m.Path, "-report_el_torito", "plain")
	if m.Firmware != "UEFI" || strings.Contains(report, "BIOS") || !strings.Contains(report, "UEFI  y") {
		t.Errorf("%q: %s", m.Firmware, report)
	}
	t.Setenv("PATH", filepath.Dir(w.source))
	if _, err := w.MakeMedium(t.Context(), i, MediaOptions{Kind: MediaISO}); !errors.Is(err, ErrNoXorriso) {
		t.Errorf("without xorriso: %v", err)
	}
}
