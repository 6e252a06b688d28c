package bootimages

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/internal/cpio"
	"slipway/fleet"
)

// mediumOf builds a small image and makes a medium of it.
func mediumOf(t *testing.T, b *Builder, image fleet.BootImage, o MediaOptions) MadeMedium {
	t.Helper()
	m, err := b.MakeMedium(t.Context(), image, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Remove() })
	return m
}

func withXorriso(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("xorriso"); err != nil {
		t.Fatal("xorriso is not installed; lab/deps.sh check installs it")
	}
}

func smallImage(t *testing.T) (*Builder, fleet.BootImage) {
	t.Helper()
	b, o := small(t)
	o.Keyboard = "de"
	image, err := b.BuildLinux(t.Context(), o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.EnsureLoaders(t.Context(), o.Packages)
	if err := errors.Join(err, b.EnsureMediaParts(t.Context(), o.Packages)); err != nil {
		t.Fatal(err)
	}
	return b, image
}

// read copies a file out of an ISO file system by xorriso.
func readISO(t *testing.T, iso, name string) []byte {
	t.Helper()
	to := filepath.Join(t.TempDir(), "out")
	run(t, nil, "xorriso", "-osirrox", "on", "-indev", iso, "-extract", name, to)
	content, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestMedium(t *testing.T) {
	withXorriso(t)
	b, image := smallImage(t)
	servers := []string{"192.0.2.1:8443", "[2001:db8::1]:8443"}
	m := mediumOf(t, b, image, MediaOptions{Kind: MediaUSB, Servers: servers})

	t.Run("same bytes", func(t *testing.T) {
		t.Setenv("TZ", "Asia/Tokyo")
		t.Setenv("SOURCE_DATE_EPOCH", "1234567890")
		again := mediumOf(t, b, image, MediaOptions{Kind: MediaUSB, Servers: servers})
		if again.ID != m.ID || again.SHA256 != m.SHA256 || again.Size != m.Size {
			t.Errorf("%+v and %+v", m.Medium, again.Medium)
		}
		other := mediumOf(t, b, image, MediaOptions{Kind: MediaUSB, Servers: servers[:1]})
		if other.ID == m.ID || other.SHA256 == m.SHA256 {
			t.Error("other addresses give the same medium")
		}
	})
	t.Run("both firmwares", func(t *testing.T) {
		report := run(t, nil, "xorriso", "-indev", m.Path, "-report_el_torito", "plain", "-report_system_area", "plain")
		for _, want := range []string{"BIOS  y   none", "UEFI  y   none", "boot-info-table isohybrid-suitable", "cyl-align-on GPT",
			"El Torito img path :   1  /isolinux/isolinux.bin", "El Torito img path :   2  /boot/efi.img", "0xef", "GPT partition path :   2  /boot/efi.img"} {
			if !strings.Contains(report, want) {
				t.Errorf("no %q in\n%s", want, report)
			}
		}
		if got := readISO(t, m.Path, "/isolinux/isolinux.cfg"); !strings.Contains(string(got), "initrd=/boot/initrd.zst,/boot/site.zst console=tty0") || !strings.Contains(string(got), " slipway.medium="+m.ID+"\n") {
			t.Errorf("isolinux.cfg: %s", got)
		}
		if got := readISO(t, m.Path, "/boot/grub/grub.cfg"); !strings.Contains(string(got), "/slipway/"+m.ID) || !strings.Contains(string(got), "initrd /boot/initrd.zst /boot/site.zst") ||
			!strings.Contains(string(got), " slipway.medium="+m.ID+"\n") {
			t.Errorf("grub.cfg: %s", got)
		}
		kernel, err := os.ReadFile(filepath.Join(b.BootDir(), image.ID, "vmlinuz"))
		if err != nil || !bytes.Equal(kernel, readISO(t, m.Path, "/boot/vmlinuz")) {
			t.Errorf("the kernel differs: %v", err)
		}
	})
	t.Run("EFI partition", func(t *testing.T) {
		img := filepath.Join(t.TempDir(), "efi.img")
		if err := os.WriteFile(img, readISO(t, m.Path, "/boot/efi.img"), 0o644); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"BOOTX64.EFI": "shim", "GRUBX64.EFI": "grub for discs"} {
			if got := run(t, nil, "mtype", "-i", img, "::EFI/BOOT/"+name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		run(t, nil, "fsck.vfat", "-n", img)
	})
	t.Run("addresses", func(t *testing.T) {
		text := run(t, bytes.NewReader(readISO(t, m.Path, "/boot/site.zst")), "zstd", "-dc")
		r := cpio.NewReader(strings.NewReader(text))
		for {
			h, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if h.Name == "etc/slipway/image.json" {
				break
			}
		}
		content := make([]byte, 4096)
		n, _ := r.Read(content)
		for _, want := range append(servers, image.ID, `"keyboard": "de"`) {
			if !strings.Contains(string(content[:n]), want) {
				t.Errorf("no %s in %s", want, content[:n])
			}
		}
	})
}

func TestMediaRefusals(t *testing.T) {
	b, image := smallImage(t)
	for _, o := range []MediaOptions{{Kind: "floppy"}, {}, {Kind: MediaISO, Servers: []string{"example.org"}}, {Kind: MediaISO, Servers: make([]string, 17)}} {
		if _, err := b.MakeMedium(t.Context(), image, o); !errors.Is(err, ErrOption) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	arm := image
	arm.Architecture = ARM64
	if _, err := b.MakeMedium(t.Context(), arm, MediaOptions{Kind: MediaISO}); !errors.Is(err, ErrOption) {
		t.Errorf("arm64: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := b.MakeMedium(t.Context(), image, MediaOptions{Kind: MediaISO}); !errors.Is(err, ErrNoXorriso) || !strings.Contains(err.Error(), "apt-get install xorriso") {
		t.Errorf("no xorriso: %v", err)
	}
}

// What xorriso fails at leaves nothing behind, and a full disk is called so.
func TestMediaFailures(t *testing.T) {
	b, image := smallImage(t)
	for _, tt := range []struct {
		script string
		want   error
		text   string
	}{
		{"echo half > \"$8\"; echo 'xorriso : FATAL : No space left on device' >&2; exit 5", ErrNoSpace, "no space"},
		{"echo 'xorriso : FAILURE : something else' >&2; exit 5", nil, "something else"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "xorriso"), []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
		_, err := b.MakeMedium(t.Context(), image, MediaOptions{Kind: MediaISO})
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.script, err)
		}
		if left, _ := filepath.Glob(filepath.Join(b.BootDir(), tempPrefix+"*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// Loaders that are there are good enough without a source; damaged ones are not.
func TestMediaPartsWithoutASource(t *testing.T) {
	b, _ := smallImage(t)
	b.Source = func(cache string) Source { return &AptSource{Cache: cache, Path: t.TempDir()} }
	if err := b.EnsureMediaParts(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(b.partsDir(), "shimx64.efi"), []byte("evil"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.haveParts(t.Context()); !errors.Is(err, ErrNoSource) {
		t.Errorf("damaged: %v", err)
	}
}
