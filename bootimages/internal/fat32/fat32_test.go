package fat32

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// written lays out a disk and writes it; the partition as a file of its own as well.
func written(t *testing.T, files []File) (disk, partition string) {
	t.Helper()
	d, err := Plan("SLIPWAY", 0x12345678, files)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil || int64(len(content)) != d.Size {
		t.Fatalf("%d bytes of %d, %v", len(content), d.Size, err)
	}
	dir := t.TempDir()
	disk, partition = filepath.Join(dir, "disk"), filepath.Join(dir, "partition")
	if err := errors.Join(os.WriteFile(disk, content, 0o644), os.WriteFile(partition, content[1<<20:], 0o644)); err != nil {
		t.Fatal(err)
	}
	return disk, partition
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK=1")
	if p, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		cmd.Path = p
		cmd.Err = nil
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

func files(t *testing.T, large int) []File {
	t.Helper()
	source := filepath.Join(t.TempDir(), "large")
	content := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuv\n"), large/33+1)[:large]
	if err := os.WriteFile(source, content, 0o644); err != nil {
		t.Fatal(err)
	}
	out := []File{{Path: "sources/boot.wim", Source: source, Size: int64(large)}, {Path: "EFI/BOOT/BOOTX64.EFI", Content: []byte("manager")},
		{Path: "EFI/Microsoft/Boot/BCD", Content: bytes.Repeat([]byte("regf"), 5000)}, {Path: "boot/boot.sdi", Content: []byte("sdi")}, {Path: "empty.txt", Content: nil}}
	for i := range 60 { // more entries than one cluster holds
		out = append(out, File{Path: fmt.Sprintf("EFI/Microsoft/Boot/Fonts/a_font_with_a_long_name_%02d_boot.ttf", i), Content: []byte(fmt.Sprint("font ", i))})
	}
	return out
}

// Other programs find the file system sound, and every file whole: below and above
// the size at which clusters grow.
func TestOtherProgramsReadIt(t *testing.T) {
	for _, large := range []int{3_000_000, 70_000_000} {
		list := files(t, large)
		disk, partition := written(t, list)
		if out := run(t, "fsck.vfat", "-n", "-v", partition); !strings.Contains(out, "2 FATs, 32 bit entries") || strings.Contains(out, "Dirty") || strings.Contains(out, "wrong") {
			t.Errorf("fsck.vfat:\n%s", out)
		}
		for _, f := range list {
			got := run(t, "mtype", "-i", disk+"@@1M", "::/"+f.Path)
			want := string(f.Content)
			if f.Source != "" {
				b, err := os.ReadFile(f.Source)
				if err != nil {
					t.Fatal(err)
				}
				want = string(b)
			}
			if sha256.Sum256([]byte(got)) != sha256.Sum256([]byte(want)) {
				t.Errorf("%s: %d bytes, want %d", f.Path, len(got), len(want))
			}
		}
		if out := run(t, "sfdisk", "--dump", disk); !strings.Contains(out, "type=c, bootable") || !strings.Contains(out, "start=        2048") {
			t.Errorf("sfdisk:\n%s", out)
		}
	}
}

// Parts are read as the whole has them.
func TestSeek(t *testing.T) {
	d, err := Plan("SLIPWAY", 1, files(t, 100_000))
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	whole, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		at, n := rng.Int64N(int64(len(whole))), rng.IntN(200_000)
		if rng.IntN(2) == 0 {
			at = rng.Int64N(3 << 20) // where the pieces are small
		}
		if _, err := r.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		part := make([]byte, n)
		got, err := io.ReadFull(r, part)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(part[:got], whole[at:at+int64(got)]) || got < n && at+int64(got) != d.Size {
			t.Fatalf("%d bytes at %d: %d, %v", n, at, got, err)
		}
	}
	if end, err := r.Seek(0, io.SeekEnd); err != nil || end != d.Size {
		t.Errorf("the end is at %d, %v", end, err)
	}
	var again bytes.Buffer
	second, err := Plan("SLIPWAY", 1, files(t, 100_000))
	if err != nil {
		t.Fatal(err)
	}
	r2, err := second.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r2.Close()
	if _, err := io.Copy(&again, r2); err != nil || !bytes.Equal(again.Bytes(), whole) {
		t.Errorf("the same files gave another disk (%v)", err)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	for name, f := range map[string][]File{
		"large":    {{Path: "a", Source: "x", Size: 1 << 32}},
		"above":    {{Path: "../a"}},
		"absolute": {{Path: "/a"}},
		"twice":    {{Path: "a.txt"}, {Path: "A.TXT"}},
		"odd":      {{Path: "a?b"}},
	} {
		if _, err := Plan("SLIPWAY", 1, f); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Plan("a label too long", 1, nil); !errors.Is(err, ErrLayout) {
		t.Errorf("label: %v", err)
	}
	d, err := Plan("SLIPWAY", 1, []File{{Path: "a", Source: filepath.Join(t.TempDir(), "none"), Size: 5}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a source that is gone: %v", err)
	}
}
