package content

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/lab/mounttest"
)

// TestADeviceThatRunsFull while a folder comes: the error says so at once, nothing of
// the folder stays, and it comes whole when there is room.
func TestADeviceThatRunsFull(t *testing.T) {
	small := mounttest.Small(t, "500k")
	files, order := folderFiles()
	files["z/large"], order = random(5, 300<<10), append(order, "z/large")
	s := newServer(t, files, order...)
	dir := filepath.Join(small, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := s.source().Folder(t.Context(), version, dir, nil)
	if err == nil || !strings.Contains(err.Error(), "this device has no room for it where it is put") || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", unix.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	if err := s.source().Folder(t.Context(), version, dir, nil); err != nil {
		t.Errorf("with room: %v", err)
	}
}
