package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dirtyPages is how much of a file the kernel has not given to the disk yet.
func dirtyPages(t *testing.T, path string) (uint64, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var stat unix.Cachestat_t
	err = unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &stat, 0)
	return stat.Dirty + stat.Writeback, err
}

// canSeeDirt tells whether this kernel (cachestat: Linux 6.5) and the folder's file
// system show what is not synced. Where they do not, the lab's test that pulls a
// machine's plug is the one that would notice.
func canSeeDirt(t *testing.T) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "unsynced")
	writeFile(t, path, make([]byte, 1<<20))
	n, err := dirtyPages(t, path)
	if err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		t.Fatal(err)
	}
	return n > 0
}

// What SIGKILL cannot show, since the kernel keeps written pages: at the moment of
// the acknowledgement nothing of the log may wait for the disk, nor of a snapshot
// when the log is shortened.
func TestAnAcknowledgedWriteIsOnTheDisk(t *testing.T) {
	if !canSeeDirt(t) {
		t.Log("this kernel or file system does not show what is not synced")
		return
	}
	o := smallSegments(t.TempDir())
	s := open(t, o)
	clean := func(when string, names ...string) {
		for _, name := range names {
			n, err := dirtyPages(t, name)
			// The next segment is entered in the background; the kernel itself would
			// leave a page alone for half a minute.
			for end := time.Now().Add(10 * time.Second); n > 0 && err == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
				n, err = dirtyPages(t, name)
			}
			if err != nil || n > 0 {
				t.Fatalf("%s: %d pages of %s are not on the disk (%v)", when, n, name, err)
			}
		}
	}
	logFiles := func() []string {
		names, err := filepath.Glob(filepath.Join(o.Dir, "*.wal"))
		if err != nil || len(names) == 0 {
			t.Fatal("no log", err)
		}
		return append(names, filepath.Join(o.Dir, metaName))
	}
	for i := range 60 { // over more than two segments
		update(t, s, putDevice("d", strings.Repeat("x", 100*i)))
		if newest := logFiles(); i%7 == 0 {
			clean("after a write", newest...)
		}
	}
	if err := s.snapshot(); err != nil {
		t.Fatal(err)
	}
	snap := newestSnapshotDir(t, o.Dir)
	clean("after a snapshot", filepath.Join(snap, "state.bin"), filepath.Join(snap, "meta.json"))
	clean("after a snapshot", logFiles()...)
}
