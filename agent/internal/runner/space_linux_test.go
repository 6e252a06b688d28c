package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/lab/mounttest"
)

// Whether content fits is asked of the file system that it is put on, and of what is
// still free there.
func TestContentThatDoesNotFitWhereItIsPut(t *testing.T) {
	small := mounttest.Small(t, "2m")
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
