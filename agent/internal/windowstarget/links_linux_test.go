package windowstarget

import (
	"os"
	"path/filepath"
	"testing"
)

// An image may bring links: nothing is written outside of the volume.
func TestIntoStaysOnTheVolume(t *testing.T) {
	for _, link := range []string{"ProgramData", "ProgramData/Slipway", "Windows/Panther"} {
		root, outside := volume(t, "Windows/System32"), t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
		if _, err := placement("").Into(root); err == nil {
			t.Errorf("%s: the link was followed", link)
		}
		if got := files(t, outside); got != "" {
			t.Errorf("%s: written outside:\n%s", link, got)
		}
	}
}
