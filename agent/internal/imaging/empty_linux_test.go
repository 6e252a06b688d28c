package imaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEmptyKeepsWhatItMust(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	for _, f := range []string{dir + "/a/b/c", dir + "/lost+found/x", dir + "/var/lib/slipway-agent/token", dir + "/var/lib/dpkg/status", outside} {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Dir(outside), dir+"/link"); err != nil {
		t.Fatal(err)
	}
	mounted := dir + "/boot/efi"
	if err := os.MkdirAll(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", mounted, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mounted, unix.MNT_DETACH) })
	if err := os.WriteFile(mounted+"/old", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Empty(dir, "lost+found", "var/lib/slipway-agent"); err != nil {
		t.Fatal(err)
	}
	var left []string
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, _ error) error {
		rel, _ := filepath.Rel(dir, p)
		left = append(left, rel)
		return nil
	})
	if got := strings.Join(left, " "); got != ". boot boot/efi lost+found lost+found/x var var/lib var/lib/slipway-agent var/lib/slipway-agent/token" {
		t.Errorf("left: %s", got)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error("a link was followed")
	}
}
