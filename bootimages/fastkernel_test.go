package bootimages

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
)

// packable is a builder whose kernel is one that can be packed again.
func packable(t *testing.T) (*Builder, Options) {
	t.Helper()
	b, o := small(t)
	kernel, err := bootimagetest.BzImage{}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Packages, "kernel.deb"), bootimagetest.KernelFile("6.9-1", string(kernel)), 0o644); err != nil {
		t.Fatal(err)
	}
	return b, o
}

// notes builds an image and returns the build's log too.
func notes(t *testing.T, b *Builder, o Options) (fleet.BootImage, string) {
	t.Helper()
	var lines []string
	image, err := b.BuildLinux(t.Context(), o, func(p Progress) { lines = append(lines, p.Line) })
	if err != nil {
		t.Fatal(err)
	}
	return image, strings.Join(lines, "\n")
}

// packedBy is the line of the inputs that names this machine's xz.
func packedBy(t *testing.T) string {
	t.Helper()
	r := &resolved{}
	if err := r.findPacker(t.Context(), X64); err != nil || r.packer == nil {
		t.Fatal(err, r.noPacker)
	}
	return r.packerInput()
}

const packing = "packing the kernel again"

// The packed kernel stands beside the one that came, is the one in the one-file image,
// and is packed once for all images.
func TestFastKernel(t *testing.T) {
	b, o := packable(t)
	image, log := notes(t, b, o)
	dir := filepath.Join(b.BootDir(), image.ID)
	fast, err := os.ReadFile(filepath.Join(dir, FastKernel))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	came, err := os.ReadFile(filepath.Join(dir, "vmlinuz"))
	if err != nil || !strings.HasSuffix(string(came), "the signature...") || strings.HasSuffix(string(fast), "the signature...") {
		t.Errorf("the kernel that came lost its signature, or the packed one has one: %v", err)
	}
	i := slices.IndexFunc(image.Files, func(f fleet.ImageFile) bool { return f.Name == FastKernel })
	if i < 0 || image.Files[i].Size != int64(len(fast)) || !slices.Contains(image.Inputs, packedBy(t)) {
		t.Errorf("files %v, inputs %v", image.Files, image.Inputs)
	}
	p, _ := oneFile(t, b, image)
	if got, _ := p.Section(".linux"); string(got) != string(fast) {
		t.Error("the one-file image has another kernel")
	}
	if kernel, _, err := b.bootFiles(image); err != nil || filepath.Base(kernel) != "vmlinuz" {
		t.Errorf("media and exports get %s: %v", kernel, err)
	}
	o.Keyboard = "de"
	if other, again := notes(t, b, o); !strings.Contains(log, packing) || strings.Contains(again, packing) || other.Files[i] != image.Files[i] {
		t.Errorf("packed again for another image:\n%s", again)
	}
	kept, err := filepath.Glob(filepath.Join(b.kernelCache(), "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("cache: %v %v", kept, err)
	}
	truncate(t, kept[0])
	o.Keyboard = "fr"
	if other, again := notes(t, b, o); !strings.Contains(again, packing) || other.Files[i] != image.Files[i] {
		t.Errorf("a damaged file of the cache was used:\n%s", again)
	}
}

// Without xz the image has the kernel as it came, another id, and the log says so;
// likewise with a kernel that is not as known.
func TestNoFastKernel(t *testing.T) {
	b, o := packable(t)
	with, _ := notes(t, b, o)
	t.Setenv("PATH", t.TempDir())
	without, log := notes(t, b, o)
	if without.ID == with.ID || !strings.Contains(log, "warning: no "+FastKernel) || !strings.Contains(log, "xz is not installed (package xz-utils)") {
		t.Errorf("ids %s and %s, log\n%s", with.ID, without.ID, log)
	}
	p, _ := oneFile(t, b, without)
	came, err := os.ReadFile(filepath.Join(b.BootDir(), without.ID, "vmlinuz"))
	if got, _ := p.Section(".linux"); err != nil || string(got) != string(came) {
		t.Errorf("the one-file image has another kernel: %v", err)
	}
}

func TestUnknownKernelIsUsedAsItCame(t *testing.T) {
	b, o := small(t)
	image, log := notes(t, b, o)
	if !strings.Contains(log, "warning: no "+FastKernel) || !strings.Contains(log, "no bzImage") || slices.ContainsFunc(image.Files, func(f fleet.ImageFile) bool { return f.Name == FastKernel }) {
		t.Errorf("files %v, log\n%s", image.Files, log)
	}
}

// The cache keeps the kernels used last.
func TestKernelCacheStaysSmall(t *testing.T) {
	dir := t.TempDir()
	for n := range keptKernels + 3 {
		sum := sha256.Sum256([]byte{byte(n)})
		if err := writeKept(filepath.Join(dir, string("0123456789"[n])), sum[:]); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != keptKernels {
		t.Errorf("%d files: %v", len(left), err)
	}
	if _, ok := readKept(filepath.Join(dir, string("0123456789"[keptKernels+2]))); !ok {
		t.Error("the newest is gone")
	}
}
