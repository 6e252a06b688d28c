package mounttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A namespace made meanwhile, as "ip netns exec" makes one, holds no disk in use.
func TestUnmountedInEveryNamespace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	run(t.Fatalf, "truncate", "--size=16M", file)
	run(t.Fatalf, "mkfs.ext4", "-q", file)
	out, err := exec.Command("losetup", "--find", "--show", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { run(t.Errorf, "losetup", "--detach", device) })
	at, unmount := Mount(t, "mount", device)

	other := exec.Command("unshare", "--mount", "--propagation", "slave", "sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("/proc", strconv.Itoa(other.Process.Pid))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ns, _ := os.Readlink(name + "/ns/mnt")
		program, _ := os.ReadFile(name + "/comm")
		if ns != own && string(program) == "sleep\n" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no other namespace: %q, %q", ns, program)
		}
	}
	held := func() bool {
		list, err := os.ReadFile(name + "/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(list), " "+at+" ")
	}
	if !held() {
		t.Fatal("the other namespace has no copy of the mount")
	}
	unmount()
	if held() {
		t.Error("the other namespace has a copy still")
	}
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		t.Fatalf("the disk is in use: %v", err)
	}
	f.Close()
}
