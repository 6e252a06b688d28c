package bootimages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk builds on file systems of growing size, from hopeless to just
// enough, each a tmpfs in a mount namespace of its own. Whatever the size, a build
// either says that the disk is full and leaves nothing, or is whole.
func TestFullDisk(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), "SLIPWAY_TEST_FULL_DISK=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "FULL") || !strings.Contains(string(out), "BUILT") {
		t.Errorf("the sizes did not cover both outcomes:\n%s", out)
	}
}

// TestInFullDisk is the body of TestFullDisk, and does nothing outside of it.
func TestInFullDisk(t *testing.T) {
	if os.Getenv("SLIPWAY_TEST_FULL_DISK") == "" {
		return
	}
	if err := syscall.Mount("", "/", "", syscall.MS_SLAVE|syscall.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	for pages := 1; pages <= 40; pages += 3 {
		b, o := small(t)
		if err := errors.Join(os.MkdirAll(b.Data, 0o755), syscall.Mount("tmpfs", b.Data, "tmpfs", 0, fmt.Sprintf("size=%d", pages*4096))); err != nil {
			t.Fatal(err)
		}
		image, err := b.BuildLinux(t.Context(), o, quiet)
		if err == nil {
			t.Log("BUILT", pages)
			if _, err := Verify(filepath.Join(b.BootDir(), image.ID)); err != nil {
				t.Errorf("%d pages: %v", pages, err)
			}
		} else {
			t.Log("FULL", pages)
			if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "free some and build again") {
				t.Errorf("%d pages: %v", pages, err)
			}
			if left, _ := os.ReadDir(b.BootDir()); len(left) != 0 {
				t.Errorf("%d pages: left behind: %v", pages, left)
			}
		}
		if err := syscall.Unmount(b.Data, 0); err != nil {
			t.Fatal(err)
		}
	}
}
