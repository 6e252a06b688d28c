package lab

import (
	"os"
	"path/filepath"
	"testing"
)

// An image that could not be made is not kept for the next time.
func TestHalfAnImageIsNotKept(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	for name, script := range map[string]string{"mmdebstrap": "exit 0", "mke2fs": "for last; do :; done\neval image=\\${$(($# - 1))}\necho half >\"$image\"\nexit 1"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	if image, err := Debian(cache); err == nil {
		t.Errorf("%s is said to be good", image)
	}
	if kept, _ := filepath.Glob(filepath.Join(cache, "*.ext4")); len(kept) > 0 {
		t.Errorf("kept: %v", kept)
	}
}
