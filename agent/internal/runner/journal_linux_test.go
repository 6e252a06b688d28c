package runner

import (
	"os/exec"
	"path/filepath"
	"testing"

	"slipway/agent/wire"
	"slipway/lab/mounttest"
)

// A journal that was kept is on the disk: a copy of it, made as if power had failed, holds
// the newest one.
func TestJournalIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v (the tests run as root): %v: %s", args, err, out)
		}
	}
	mount := func(file string) (at string) {
		at, _ = mounttest.Mount(t, "mount", "-o", "loop", file)
		return at
	}
	file := filepath.Join(dir, "disk")
	run("truncate", "--size=16M", file)
	run("mkfs.ext4", "-q", file)
	j := JournalFile{filepath.Join(mount(file), "reports.json")}
	for n := range int64(3) {
		if err := j.Keep(Entries{Deployment: "d", Epoch: n, Events: []wire.Event{{Number: n}}}); err != nil {
			t.Fatal(err)
		}
	}
	cut := filepath.Join(dir, "cut")
	run("cp", file, cut)
	got, err := JournalFile{filepath.Join(mount(cut), "reports.json")}.Kept()
	if err != nil || got.Epoch != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}
