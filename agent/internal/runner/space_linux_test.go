package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Whether content fits is asked of the file system that it is put on, and of what is
// still free there.
func TestContentThatDoesNotFitWhereItIsPut(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("none", small, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatalf("mount a small file system (the tests run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(small, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(small, "ballast"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]string{1 << 19: "", 1_500_000: "it is 1.5 MB large, and there are only 1.0 MB free where it is put"} {
		s := &shelf{}
		b := contentBench(t, s, size, withContent("true", "app:2"))
		b.runner.ContentDir = filepath.Join(small, "content")
		out, err := b.run(t, b.start(t))
		if err != nil || want == "" && out.Status != Succeeded || want != "" && (out.Status != Failed || !strings.Contains(out.Message, want) || len(s.asked) > 0) {
			t.Errorf("%d bytes: %+v, %v, fetched %q", size, out, err, s.asked)
		}
	}
}
