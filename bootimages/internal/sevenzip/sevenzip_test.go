package sevenzip

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func disc(t *testing.T) (image, dir string) {
	t.Helper()
	dir = t.TempDir()
	tree := filepath.Join(dir, "tree", "Sources")
	if err := errors.Join(os.MkdirAll(tree, 0o755), os.WriteFile(filepath.Join(tree, "Boot.wim"), bytes.Repeat([]byte("0123456789abcdef"), 1<<16), 0o644),
		os.WriteFile(filepath.Join(tree, "empty.txt"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	image = filepath.Join(dir, "disc.iso")
	if out, err := exec.Command("genisoimage", "-quiet", "-udf", "-o", image, filepath.Join(dir, "tree")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return image, dir
}

func TestAFileOfADisc(t *testing.T) {
	image, _ := disc(t)
	files, err := List(t.Context(), image)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	f, ok := Find(files, "sources/BOOT.WIM")
	if !ok || f.Size != 1<<20 {
		t.Fatalf("%v %v", f, ok)
	}
	var out bytes.Buffer
	if err := Copy(t.Context(), &out, image, f); err != nil || out.Len() != 1<<20 || !bytes.HasPrefix(out.Bytes(), []byte("0123")) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if _, ok := Find(files, "sources"); ok {
		t.Error("a folder was found as a file")
	}
}

// A disc may be named like a pattern that fits another.
func TestADiscNamedLikeAPattern(t *testing.T) {
	image, dir := disc(t)
	odd := filepath.Join(dir, "d?sc.iso")
	if err := os.Link(image, odd); err != nil {
		t.Fatal(err)
	}
	if files, err := List(t.Context(), odd); err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestBadDiscs(t *testing.T) {
	image, dir := disc(t)
	whole, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.iso")
	if err := os.WriteFile(cut, whole[:len(whole)-900_000], 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := List(t.Context(), cut)
	if err == nil {
		f, ok := Find(files, "sources/boot.wim")
		if !ok {
			t.Fatalf("files %v", files)
		}
		err = Copy(t.Context(), &bytes.Buffer{}, cut, f)
	}
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("a disc that is cut short: %v", err)
	}
	if err := os.WriteFile(cut, []byte("no disc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := List(t.Context(), cut); !errors.Is(err, ErrDamaged) {
		t.Errorf("no disc: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := List(ctx, image); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := Copy(t.Context(), &bytes.Buffer{}, image, File{Path: "Sources/Boot.wim", Size: 7}); !errors.Is(err, ErrDamaged) {
		t.Errorf("another size than listed: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("7-Zip\n----------\nPath = sources/boot.wim\nFolder = -\nSize = 12\n\nPath = a\nFolder = +\n")
	f.Add("\n----------\nSize = -5\nPath = x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, file := range parse(text) {
			if file.Path == "" || file.Size < 0 {
				t.Errorf("%+v", file)
			}
		}
	})
}
