package steps_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"slipway/agent/internal/disk"
	"slipway/agent/wire"
	"slipway/lab/mounttest"
	"slipway/tasksequence"
)

// packed are the forms in which makers ship disk images, by the name of the file.
func packed(t *testing.T, image []byte) map[string][]byte {
	t.Helper()
	write := func(w io.WriteCloser, err error) {
		if err == nil {
			_, err = w.Write(image)
			err = errors.Join(err, w.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var gz, zst, zipped bytes.Buffer
	write(gzip.NewWriterLevel(&gz, gzip.BestSpeed))
	write(zstd.NewWriter(&zst))
	archive := zip.NewWriter(&zipped)
	inside, err := archive.Create("chromeos_flex.bin")
	if err == nil {
		_, err = inside.Write(image)
	}
	if err = errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	xz := exec.Command("xz", "-0", "-c")
	xz.Stdin = bytes.NewReader(image)
	xzed, err := xz.Output()
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"chromeos_flex.bin": image, "flex.bin.zip": zipped.Bytes(), "osc.img.gz": gz.Bytes(), "osc.img.zst": zst.Bytes(),
		"osc.img.xz": xzed, "osc.qcow2.holes": withHoles(t, image)}
}

// withHoles is wire.FormHoles as the appliance makes it of a qcow2.
func withHoles(t *testing.T, image []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	const piece = 1 << 20
	var out []byte
	for ; len(image) > 0; image = image[min(piece, len(image)):] {
		one := image[:min(piece, len(image))]
		if bytes.Count(one, []byte{0}) == len(one) {
			out = binary.LittleEndian.AppendUint32(out, 0x184D2A5B)
			out = binary.LittleEndian.AppendUint32(out, 8)
			out = binary.LittleEndian.AppendUint64(out, uint64(len(one)))
			continue
		}
		out = z.EncodeAll(one, out)
	}
	return out
}

// ChromeOS Flex and IGEL images in all their forms go from the appliance onto a disk
// of the kernel, over what was there; what the disk then holds is the image.
func TestImagesReachARealDisk(t *testing.T) {
	image, l := diskImage(t, 100*mib, shipped)
	r := newReal(t, t.TempDir(), 128*mib)
	definitions := []string{tasksequence.ApplyChromeOSFlex, tasksequence.ApplyIGELImage}
	r.must(r.vars.Set("IsUEFI", tasksequence.Value{Text: "True"}))
	n := 0
	for name, data := range packed(t, image) {
		r.item(name, name, data, func(f *wire.ContentFile) {
			if strings.HasSuffix(name, ".holes") {
				f.Form, f.Original, f.RawSize = wire.FormHoles, "osc.qcow2", int64(len(image))
			}
		})
		n++
		fill, err := os.OpenFile(r.disk.Path, os.O_WRONLY, 0) // what was there must not shine through
		r.must(err)
		_, err = fill.Write(bytes.Repeat([]byte{0xee}, 110*mib))
		r.must(errors.Join(err, fill.Close()))
		if err := r.run(definitions[n%2], map[string]any{"Image": name + ":1"}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.holds(name, image, l)
		if !strings.Contains(strings.Join(r.log, "\n"), "read back: the disk holds what was written") {
			t.Errorf("%s: it was not read back: %q", name, r.log)
		}
		if want := []string{"ChromeOS Flex", "IGEL OS"}[n%2]; !strings.Contains(r.message, `the firmware has the boot entry "`+want+`", which starts \EFI\BOOT\BOOTX64.EFI of partition 1`) {
			t.Errorf("%s: the firmware: %q", name, r.message)
		}
		found := r.found(name)
		if _, ok := found.Find(disk.RoleESP); !ok || len(found.Partitions) != 2 || found.TableID != l.TableID {
			t.Errorf("%s: found %s", name, found.Text())
		}
		if list, err := filepath.Glob(r.efi + "/Boot*"); err != nil || len(list) != 1+min(n, 2) { // the order, and an entry for each kind of system
			t.Errorf("%s: the firmware's variables: %v, %v", name, list, err)
		}
		if out, err := exec.Command("e2fsck", "-fn", r.disk.Path+"p2").CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// A disk image as an operating system grows to the disk, with its file system.
func TestADiskImageGrowsToARealDisk(t *testing.T) {
	image, _ := diskImage(t, 100*mib, "biosboot 1\ndata rest")
	r := newReal(t, t.TempDir(), 256*mib)
	r.item("os", "os.img.gz", packed(t, image)["osc.img.gz"], nil)
	r.must(r.run(tasksequence.FormatDisk, map[string]any{"Layout": "custom", "Partitions": "data rest"}))
	r.must(r.run(tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": "os:1"}))
	l := r.found("grown")
	last := l.Partitions[len(l.Partitions)-1]
	if last.End() != 255*mib || last.Role != disk.RoleRoot {
		t.Fatalf("the layout is %s", l.Text())
	}
	r.must(r.linux.Unmount(t.Context()))
	device := r.disk.Path + "p2"
	r.tool("e2fsck", "-fn", device)
	at, unmount := mounttest.Mount(t, "mount", "-t", "ext4", "-o", "ro", device)
	defer unmount()
	text, err := os.ReadFile(filepath.Join(at, "data"))
	if err != nil || !bytes.Equal(text, bytes.Repeat([]byte("what the image brings\n"), 100_000)) {
		t.Errorf("the file of the image: %d bytes, %v", len(text), err)
	}
	var space unix.Statfs_t
	if err := unix.Statfs(at, &space); err != nil || int64(space.Blocks)*space.Bsize < 140*mib {
		t.Errorf("the file system has %d MiB, %v", int64(space.Blocks)*space.Bsize/mib, err)
	}
}

func (r *real) sum() [32]byte {
	r.t.Helper()
	data, err := os.ReadFile(r.file)
	r.must(err)
	return sha256.Sum256(data)
}

// What cannot go well is refused before anything is lost.
func TestARealDiskIsLeftAlone(t *testing.T) {
	image, _ := diskImage(t, 100*mib, shipped)
	forms := packed(t, image)
	t.Run("too small", func(t *testing.T) {
		r := newReal(t, t.TempDir(), 80*mib)
		before := r.sum()
		known := zstdOf(t, image)
		for name, data := range map[string][]byte{"osc.img.zst": known, "osc.img": image, "osc.qcow2.holes": forms["osc.qcow2.holes"]} {
			r.item(name, name, data, func(f *wire.ContentFile) {
				switch {
				case strings.HasSuffix(name, ".holes"):
					f.Form, f.Original, f.RawSize = wire.FormHoles, "osc.qcow2", int64(len(image))
				case name == "osc.img":
					f.RawSize = f.Size
				}
			})
			err := r.run(tasksequence.ApplyIGELImage, map[string]any{"Image": name + ":1"})
			if err == nil || !strings.Contains(err.Error(), "nothing was written") || r.sum() != before {
				t.Errorf("%s: %v, changed: %v", name, err, r.sum() != before)
			}
		}
	})
	t.Run("in use", func(t *testing.T) {
		r := newReal(t, t.TempDir(), 128*mib)
		r.item("os", "osc.img.gz", forms["osc.img.gz"], nil)
		r.must(r.run(tasksequence.ApplyIGELImage, map[string]any{"Image": "os:1"}))
		at, unmount := mounttest.Mount(t, "mount", "-t", "ext4", "-o", "ro", r.disk.Path+"p2")
		defer unmount()
		before := r.sum()
		for definition, settings := range map[string]map[string]any{tasksequence.ApplyIGELImage: {"Image": "os:1"}, tasksequence.ApplyChromeOSFlex: {"Image": "os:1"},
			tasksequence.FormatDisk: {}, tasksequence.WipeDisk: {}, tasksequence.ApplyOperatingSystem: {"OperatingSystem": "os:1"}} {
			err := r.run(definition, settings)
			if !errors.Is(err, disk.ErrInUse) || !strings.Contains(err.Error(), at) || r.sum() != before {
				t.Errorf("%s: %v, changed: %v", definition, err, r.sum() != before)
			}
		}
	})
}

// zstdOf is one frame that says how long it is.
func zstdOf(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(data, nil)
}

// A disk that fails while it is written to fails the step, names the place, and does
// not become the target. The disk lies on a file system that is too small for it: the
// kernel answers its writes with an error from there on.
func TestARealDiskThatFails(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	small := mounttest.Small(t, "24m")
	r := newReal(t, small, 256*mib)
	image, _ := diskImage(t, 100*mib, shipped)
	random := rand.NewChaCha8([32]byte{1})
	for at := 20 * mib; at < 90*mib; at += mib {
		_, _ = random.Read(image[at : at+mib])
	}
	r.item("os", "osc.img.zst", zstdOf(t, image), nil)
	err := r.run(tasksequence.ApplyIGELImage, map[string]any{"Image": "os:1"})
	if err == nil || !strings.Contains(err.Error(), "write osc.img.zst: write to the disk at ") {
		t.Errorf("a disk that fails: %v", err)
	}
	t.Log(err)
	for _, name := range []string{tasksequence.VariableTargetLayout, disk.TargetVariable} {
		if text := r.vars.Text(name); text != "" {
			t.Errorf("%s is %q after a failure", name, text)
		}
	}
	if err := r.run(tasksequence.WipeDisk, map[string]any{"Method": "overwrite"}); err == nil || !strings.Contains(err.Error(), "was not wiped: overwrite: write ") {
		t.Errorf("a wipe of a disk that fails: %v", err)
	}
	if err := r.run(tasksequence.FormatDisk, map[string]any{"Layout": "custom", "Partitions": "data rest"}); err == nil {
		t.Error("a disk that fails was formatted")
	} else {
		t.Log(err)
	}
}
