package bootimages

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

func TestExport(t *testing.T) {
	b, image := smallImage(t)
	o := ExportOptions{Servers: []string{"192.0.2.1:8443"}, Installation: "install-id", Version: "1.2"}
	var out, again bytes.Buffer
	if err := errors.Join(b.Export(t.Context(), &out, image, o), b.Export(t.Context(), &again, image, o)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("two exports differ")
	}
	files := untar(t, &out)
	whole(t, files)
	if got := strings.Count(files["SHA256SUMS"], "\n"); got < 12 {
		t.Errorf("%d files are in SHA256SUMS", got)
	}
	initrd, err := os.ReadFile(filepath.Join(b.BootDir(), image.ID, "initrd.zst"))
	if err != nil || !strings.HasPrefix(files["initrd.zst"], string(initrd)) || len(files["initrd.zst"]) <= len(initrd) {
		t.Errorf("the initrd is not the image's with the addresses behind: %v", err)
	}
	for name, want := range map[string]string{"bootx64.efi": "shim", "grubx64.efi": "grub for networks", "pxelinux.0": "pxelinux", "ldlinux.c32": "ldlinux", "snponly.efi": "snponly", "undionly.kpxe": "undionly"} {
		if files[name] != want {
			t.Errorf("%s: %.40q", name, files[name])
		}
	}
	for name, want := range map[string]string{"grub/grub.cfg": "linux $dir/vmlinuz console=tty0", "pxelinux.cfg/default": "append initrd=initrd.zst console=tty0", "boot.ipxe": "kernel vmlinuz initrd=initrd.zst"} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q", name, files[name])
		}
	}
	for _, want := range append([]string{image.ID, "192.0.2.1:8443", "install-id", "Slipway 1.2", "dhcp-boot", "next-server", "wdsutil", "client-classes", image.CASet[0]}, image.KernelRelease) {
		if !strings.Contains(files["README.txt"], want) {
			t.Errorf("README.txt does not say %s", want)
		}
	}
}

// A damaged image is neither exported nor put on a medium: nothing has been written
// when that is found.
func TestExportOfADamagedImage(t *testing.T) {
	b, image := smallImage(t)
	file := filepath.Join(b.BootDir(), image.ID, "initrd.zst")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.Export(t.Context(), &out, image, ExportOptions{}); !errors.Is(err, ErrCorrupt) || out.Len() != 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if _, err := b.MakeMedium(t.Context(), image, MediaOptions{Kind: MediaISO}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("medium: %v", err)
	}
}

// untar reads an archive; a file comes after all of its folders.
func untar(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		content, readErr := io.ReadAll(r)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		if dir := path.Dir(path.Clean(h.Name)); dir != "." {
			if _, ok := files[dir+"/"]; !ok {
				t.Errorf("%s comes before its folder", h.Name)
			}
		}
		files[h.Name] = string(content)
	}
}

// whole compares an export with its checksums.
func whole(t *testing.T, files map[string]string) {
	t.Helper()
	for line := range strings.Lines(files["SHA256SUMS"]) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		got := sha256.Sum256([]byte(files[name]))
		if hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s has not the hash that SHA256SUMS states", name)
		}
	}
}

// An exported Windows PE image has its files where the boot manager and the stores look
// for them, for each firmware, and a page that says how they are served.
func TestExportOfWindowsPE(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{})
	i := w.built()
	var out bytes.Buffer
	if err := w.Export(t.Context(), &out, i, ExportOptions{Servers: []string{"192.0.2.99:8443"}, Installation: "install-id", Version: "1.2"}); err != nil {
		t.Fatal(err)
	}
	files := untar(t, &out)
	whole(t, files)
	folder := "Boot/" + i.ID + "/"
	for name, file := range map[string]string{"bootmgfw.efi": BootManager, "Boot/BCD": BootStore, "Boot/Fonts/wgl4_boot.ttf": "wgl4_boot.ttf", folder + "boot.sdi": BootSDI, folder + "boot.wim": BootWIM,
		folder + "BCD.media": MediaStore, "bios/pxeboot.n12": BIOSLoader, "bios/bootmgr.exe": BIOSManager, "bios/Boot/BCD": BIOSStore, "bios/Boot/Fonts/segmono_boot.ttf": "segmono_boot.ttf"} {
		if files[name] != string(w.read(i, file)) {
			t.Errorf("%s is not %s", name, file)
		}
	}
	for _, store := range []string{"Boot/BCD", "bios/Boot/BCD"} {
		if text := strings.ReplaceAll(files[store], "\x00", ""); !strings.Contains(text, `\`+strings.ReplaceAll(folder, "/", `\`)+"boot.wim") {
			t.Errorf("%s does not name %sboot.wim", store, folder)
		}
	}
	for _, want := range []string{i.ID, "192.0.2.10:8443", "install-id", "Slipway 1.2", "dhcp-boot=tag:efi,bootmgfw.efi", "client-arch,7", "wdsutil /Add-Image", "cp -al Boot/" + i.ID, i.CASet[0]} {
		if !strings.Contains(files["README.txt"], want) {
			t.Errorf("README.txt does not say %s", want)
		}
	}
	if strings.Contains(files["README.txt"], "192.0.2.99") {
		t.Error("README.txt names an address that is not in the image")
	}
	if !strings.Contains(files["boot.ipxe"], "initrd --name boot.wim "+folder+"boot.wim boot.wim") {
		t.Errorf("boot.ipxe: %s", files["boot.ipxe"])
	}
	if err := os.WriteFile(w.path(i, BootWIM), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := w.Export(t.Context(), &out, i, ExportOptions{}); !errors.Is(err, ErrCorrupt) || out.Len() > 0 {
		t.Errorf("a damaged image: %d bytes, %v", out.Len(), err)
	}
}

// Without loaders for BIOS, and for arm64, the export says what it is for.
func TestExportOfWindowsPEForARM64(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{Machine: bootimagetest.MachineARM64})
	i := w.built()
	var out bytes.Buffer
	if err := w.Export(t.Context(), &out, i, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	files := untar(t, &out)
	whole(t, files)
	for name := range files {
		if strings.HasPrefix(name, "bios/") {
			t.Errorf("%s is there", name)
		}
	}
	if !strings.Contains(files["README.txt"], "client-arch,11") || !strings.Contains(files["boot.ipxe"], "no boot manager for BIOS") {
		t.Errorf("README.txt:\n%s\nboot.ipxe:\n%s", files["README.txt"], files["boot.ipxe"])
	}
}
