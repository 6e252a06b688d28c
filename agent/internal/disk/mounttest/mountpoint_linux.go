// Package mounttest gives tests a place for mounts.
package mounttest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Point is a path below which a test may mount, until it ends. What is unmounted
// there is unmounted in every namespace: one that a program of another test has made
// meanwhile holds copies of all mounts, and a disk below a copy stays in use.
func Point(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	run := func(args ...string) {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
	run("mount", "--bind", folder, folder)
	t.Cleanup(func() { run("umount", folder) })
	run("mount", "--make-shared", folder)
	return filepath.Join(folder, "target")
}
