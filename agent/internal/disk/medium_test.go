//go:build linux

package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/fat/fattest"
)

const anImage = "0123456789abcdef0123456789abcdef"

// isoOf makes an ISO 9660 file system as bootimages does (package xorriso).
func isoOf(t *testing.T, label string, files map[string]string) []byte {
	t.Helper()
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "iso")
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := exec.Command("xorriso", "-no_rc", "-as", "mkisofs", "-quiet", "-r", "-V", label, "-partition_offset", "16", "-o", out, dir).CombinedOutput(); err != nil {
		t.Fatalf("xorriso: %v: %s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMediaAreRecognised(t *testing.T) {
	many := map[string]string{"slipway/" + anImage: anImage + "\n"}
	for i := range 100 { // so that the root takes more than one sector
		many["file"+strings.Repeat("x", i%50)+string(rune('a'+i/50))] = ""
	}
	swap := make([]byte, probeBytes)
	copy(swap[4086:], "SWAPSPACE2")
	for _, tt := range []struct {
		name  string
		data  []byte
		is    bool
		image string
	}{
		{"ISO", isoOf(t, "SLIPWAY", map[string]string{"slipway/" + anImage: anImage + "\n"}), true, anImage},
		{"ISO, other label", isoOf(t, "BACKUP", many), true, anImage},
		{"ISO, only the label", isoOf(t, "SLIPWAY", map[string]string{"slipway/x": "something else"}), true, ""},
		{"ISO of others", isoOf(t, "DEBIAN", map[string]string{"slipway/" + anImage: "something else that is no id, 33 b\n", "a": anImage + "\n"}), false, ""},
		{"FAT16, other label", fattest.Image(t, 16<<10, 16, "boot/vmlinuz", "slipway/"+anImage), true, anImage},
		{"FAT32, other label", fattest.Image(t, 64<<10, 32, "slipway/"+anImage), true, anImage},
		{"FAT of others", fattest.Image(t, 16<<10, 16, "boot/slipway", "efi/"+anImage), false, ""},
		{"no medium", swap, false, ""},
		{"nothing", nil, false, ""},
	} {
		is, image := medium(bytes.NewReader(tt.data))
		if is != tt.is || image != tt.image {
			t.Errorf("%s: %v, %q", tt.name, is, image)
		}
	}
}

func FuzzMedium(f *testing.F) {
	iso := make([]byte, 20*isoSector)
	copy(iso[16*isoSector:], "\x01CD001")
	copy(iso[16*isoSector+156:], "\x22\x00\x12\x00\x00\x00\x00\x00\x00\x12\x00\x08\x00\x00\x00\x00\x08\x00")
	copy(iso[18*isoSector:], "\x28\x00\x13\x00\x00\x00\x00\x00\x00\x13\x00\x08\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x07SLIPWAY")
	f.Add(iso)
	f.Fuzz(func(t *testing.T, data []byte) {
		if is, image := medium(bytes.NewReader(data)); !is && image != "" {
			t.Errorf("%q", image)
		}
	})
}

// A machine that was started from a medium which is not among its disks takes no disk
// that may be it.
func TestAMediumThatIsNotFound(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty, stick := put("empty", nil), put("stick", fattest.Image(t, 16<<10, 16, "slipway/"+anImage))
	for _, tt := range []struct {
		name, medium string
		stick        bool
		boot         string // names of the disks that are marked
	}{
		{"from the network", "", false, ""},
		{"the stick is there", anImage, true, "sdc"},
		{"the stick is hidden", anImage, false, "sdb"},
		{"a stick of another image is there", strings.Repeat("ab", 16), true, "sdb sdc"},
	} {
		list := []Disk{{Name: "sda", Path: empty, Bus: BusATA}, {Name: "sdb", Path: empty, Bus: BusUSB}}
		if tt.stick {
			list = append(list, Disk{Name: "sdc", Path: stick, Bus: BusUSB})
		}
		m := &Linux{root: os.DirFS(dir), Medium: tt.medium}
		m.markMedia(list)
		var boot []string
		for _, d := range list {
			if _, err := refuse(d, Rule{}); d.Boot && err != nil && strings.Contains(err.Error(), "Slipway medium") {
				boot = append(boot, d.Name)
			}
		}
		if got := strings.Join(boot, " "); got != tt.boot {
			t.Errorf("%s: marked %q, want %q", tt.name, got, tt.boot)
		}
	}
}
