package bootimages

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	files := map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		content, readErr := io.ReadAll(r)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
	}
	for _, line := range strings.Split(strings.TrimSpace(files["SHA256SUMS"]), "\n") {
		sum, name, _ := strings.Cut(line, "  ")
		got := sha256.Sum256([]byte(files[name]))
		if hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s has not the hash that SHA256SUMS states", name)
		}
	}
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
