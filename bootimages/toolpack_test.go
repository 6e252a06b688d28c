package bootimages

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"slipway/fleet"
)

// checkToolPack unpacks an image's tool pack into a folder and runs every program of
// it there, in a root of its own: nothing of this machine can help out.
func checkToolPack(t *testing.T, dir string, image fleet.BootImage, inside string) {
	var pinned insideTools
	if err := json.Unmarshal([]byte(inside), &pinned); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(filepath.Join(dir, ToolPack))
	if err != nil {
		t.Fatal(err)
	}
	last := image.Files[len(image.Files)-1]
	if pinned.SHA256 != last.SHA256 || pinned.Size != int64(len(packed)) || last.Name != ToolPack {
		t.Errorf("pinned %+v, recorded %+v", pinned, last)
	}
	t.Logf("tool pack: %.1f MB, unpacked %.1f MB", float64(pinned.Size)/1e6, float64(pinned.Unpacked)/1e6)
	if pinned.Size > 25e6 {
		t.Errorf("the tool pack has grown to %d bytes", pinned.Size)
	}
	root := t.TempDir()
	unpackTools(t, packed, root)
	if os.Getuid() != 0 {
		t.Skip("chroot needs root")
	}
	for _, args := range [][]string{{"/usr/sbin/mkfs.ext4", "-V"}, {"/usr/sbin/e2fsck", "-V"}, {"/usr/sbin/mkfs.vfat", "--help"},
		{"/usr/sbin/fsck.vfat", "--help"}, {"/usr/sbin/mkfs.ntfs", "--version"}, {"/usr/bin/ntfs-3g", "--version"}, {"/usr/bin/wimlib-imagex", "--version"}} {
		out, err := exec.Command("chroot", append([]string{root}, args...)...).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "sage") {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}

func unpackTools(t *testing.T, packed []byte, root string) {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		p := filepath.Join(root, h.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeSymlink {
			if err := os.Symlink(h.Linkname, p); err != nil {
				t.Fatal(err)
			}
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, content, os.FileMode(h.Mode)); err != nil {
			t.Fatal(err)
		}
	}
}

// A library that no package holds fails the build by name, not the device later.
func TestToolPackNamesWhatIsMissing(t *testing.T) {
	program, err := os.ReadFile("/bin/bash") // any program that is linked dynamically
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) == 0 {
		t.Fatalf("%v, %v", libraries, err)
	}
	_, loader, err := needs(program)
	if err != nil {
		t.Fatal(err)
	}
	s := toolSource{"bin/x": {content: program}, merged(loader[1:]): {content: program}}
	if _, err := s.collect(&toolRules{Files: []string{"usr/bin/x"}}); err == nil || !strings.Contains(err.Error(), libraries[0]) {
		t.Errorf("got %v, want one that names %s", err, libraries[0])
	}
	if _, err := s.collect(&toolRules{Files: []string{"usr/bin/y"}}); err == nil || !strings.Contains(err.Error(), "usr/bin/y") {
		t.Errorf("got %v", err)
	}
}
