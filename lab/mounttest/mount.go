// Package mounttest mounts file systems for tests.
//
// A program of another test that makes a mount namespace of its own meanwhile ("ip
// netns exec" does) takes copies of all mounts with it, and as long as it runs, a disk
// below a copy stays in use. So what is mounted here hangs below a shared mount: it is
// unmounted in every namespace at once (mount_namespaces(7), shared subtrees). A
// namespace that a test makes must not cut itself off from that: its mounts are slaves,
// never private.
package mounttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Point is a path below which a test may mount, until it ends. There is nothing there.
func Point(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	run(t.Fatalf, "mount", "--bind", folder, folder)
	t.Cleanup(func() { run(t.Errorf, "umount", folder) })
	run(t.Fatalf, "mount", "--make-shared", folder)
	return filepath.Join(folder, "target")
}

// Mount runs a program of mount(8)'s kind with a new, empty folder as its last
// argument. unmount can be called early and more than once; the test's end does it too.
func Mount(t testing.TB, program ...string) (at string, unmount func()) {
	t.Helper()
	at = Point(t)
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t.Fatalf, append(program, at)...)
	unmount = sync.OnceFunc(func() { run(t.Errorf, "umount", at) })
	t.Cleanup(unmount)
	return at, unmount
}

// Small is a file system in memory with room for size ("2m"), to be filled.
func Small(t testing.TB, size string) (at string) {
	t.Helper()
	at, _ = Mount(t, "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs")
	return at
}

func run(fail func(string, ...any), args ...string) {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		fail("%v (the tests run as root): %v: %s", args, err, out)
	}
}
