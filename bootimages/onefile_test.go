package bootimages

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/bootimages/internal/pe"
	"slipway/fleet"
)

// oneFile returns the one-file image's bytes and its entry in the manifest.
func oneFile(t *testing.T, b *Builder, image fleet.BootImage) (*pe.Image, fleet.ImageFile) {
	t.Helper()
	i := slices.IndexFunc(image.Files, func(f fleet.ImageFile) bool { return f.Name == OneFile })
	if i < 0 {
		t.Fatalf("no %s among %v", OneFile, image.Files)
	}
	raw, err := os.ReadFile(filepath.Join(b.BootDir(), image.ID, OneFile))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pe.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p, image.Files[i]
}

// The one file holds the image's own kernel and initrd, and names no appliance.
func TestOneFile(t *testing.T) {
	b, o := small(t)
	o.Servers = []string{"192.0.2.1:8443"}
	image := build(t, b, o)
	p, f := oneFile(t, b, image)
	for section, file := range map[string]string{".linux": "vmlinuz", ".initrd": "initrd.zst"} {
		want, err := os.ReadFile(filepath.Join(b.BootDir(), image.ID, file))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Section(section); !ok || string(got) != string(want) {
			t.Errorf("section %s holds %d bytes, %s has %d", section, len(got), file, len(want))
		}
	}
	cmdline, _ := p.Section(".cmdline")
	if want := oneFileCmdline + " slipway.image=" + image.ID; string(cmdline) != want {
		t.Errorf("command line %q", cmdline)
	}
	if text, _ := p.Section(".osrel"); !strings.Contains(string(text), "\nIMAGE_ID="+image.ID+"\n") || !strings.Contains(string(text), `VERSION="1.2.3"`) {
		t.Errorf("os-release %q", text)
	}
	if want := "package systemd-boot-efi 252 amd64"; !slices.ContainsFunc(image.Inputs, func(l string) bool { return strings.HasPrefix(l, want) }) {
		t.Errorf("the inputs do not name the stub: %v", image.Inputs)
	}
	other, _ := small(t)
	if _, again := oneFile(t, other, build(t, other, o)); again != f {
		t.Errorf("built again: %+v, before %+v", again, f)
	}
}

// Without the stub's package the image is built all the same, and the log says what
// is missing.
func TestNoStubPackage(t *testing.T) {
	b, o := small(t)
	remove(t, o.Packages, "systemd-boot-efi.deb")
	var lines []string
	image, err := b.BuildLinux(t.Context(), o, func(p Progress) { lines = append(lines, p.Line) })
	if err != nil || len(image.Files) != 2 {
		t.Fatalf("%v, files %v", err, image.Files)
	}
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "slipway image fetch") {
		t.Errorf("log:\n%s", text)
	}
}

func TestOSReleaseIsPlain(t *testing.T) {
	if got := osRelease("ab", "1\"\n$(x)`é"); !strings.Contains(got, "VERSION=\"1(x)\"\n") {
		t.Errorf("got %q", got)
	}
}
