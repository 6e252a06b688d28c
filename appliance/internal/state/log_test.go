package state

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"slipway/fleet"
)

// After a failed sync nobody knows what the disk holds: nothing more is promised,
// reads go on, and a restart reads what is there.
func TestAFailedSyncEndsWriting(t *testing.T) {
	o := quiet(t.TempDir())
	s := open(t, o)
	update(t, s, putDevice("a", "x"))
	s.logs.files.broken.Store(true)
	s.logs.wal.Close() // the next write fails
	err := s.Update(t.Context(), putDevice("b", "x"))
	if err == nil || !strings.Contains(err.Error(), "check the disk, then start Slipway again") {
		t.Fatalf("writing: %v", err)
	}
	if err := s.Ready(); err == nil {
		t.Error("ready, although nothing can be written")
	}
	if err := s.Update(t.Context(), putDevice("b", "x")); err == nil {
		t.Error("a later write was accepted")
	}
	if got := deviceName(t, s, "a"); got != "x" {
		t.Errorf("read %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	if got := deviceName(t, s, "a"); got != "x" {
		t.Errorf("read %q after the restart", got)
	}
}

// An error that leaves raft-wal unable to go on is healed by opening it anew.
func TestTheLogIsOpenedAnewAfterAnError(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, putDevice("a", "x"))
	s.logs.wal.Close()
	update(t, s, putDevice("b", "y"))
	if got := deviceName(t, s, "a") + deviceName(t, s, "b"); got != "xy" {
		t.Errorf("read %q", got)
	}
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
}

// A disk that cannot keep raft's term must not make it panic, nor vote.
func TestAMetaFileThatCannotBeWritten(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	s.logs.meta.f.Close()
	if err := s.logs.SetUint64([]byte(keyTerm), 99); err != nil {
		t.Errorf("raft would panic: %v", err)
	}
	if err := s.logs.Set([]byte("LastVoteCand"), []byte("x")); err == nil {
		t.Error("a vote that was not kept is claimed to be")
	}
	if err := s.Update(t.Context(), count); err == nil {
		t.Error("a write is accepted")
	}
	if err := s.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	s.closed = nil // for the cleanup
}

// The log shrinks, but keeps what only the older snapshot and the log hold.
func TestTheLogReachesBackToTheOlderSnapshot(t *testing.T) {
	o := smallSegments(t.TempDir())
	s := open(t, o)
	var indexes []uint64
	for round := range 4 {
		writeNumbered(t, s, 0, 100, 1000)
		if err := s.snapshot(); err != nil {
			t.Fatal(err)
		}
		indexes = append(indexes, s.snapped.Load())
		first, err := s.logs.FirstIndex()
		if err != nil {
			t.Fatal(err)
		}
		want := uint64(1)
		if round > 0 {
			want = indexes[round-1] + 1
		}
		if first != want {
			t.Errorf("snapshots at %v, the log begins at %d, want %d", indexes, first, want)
		}
	}
	if n := len(readFolder(t, o.Dir).segments()); n > 6 {
		t.Errorf("%d segments are kept", n)
	}
	if s.logs.bytes.Load() > 1000 {
		t.Errorf("%d bytes are counted since the snapshot", s.logs.bytes.Load())
	}
}

func TestSnapshotsAreTakenByCountAndBySize(t *testing.T) {
	for name, o := range map[string]Options{
		"count": {SnapshotEvery: 50, SnapshotBytes: 1 << 40},
		"size":  {SnapshotEvery: 1 << 40, SnapshotBytes: 50 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			q := quiet(t.TempDir())
			q.SnapshotEvery, q.SnapshotBytes = o.SnapshotEvery, o.SnapshotBytes
			s := open(t, q)
			writeNumbered(t, s, 0, 40, 100)
			if n := s.snapped.Load(); n != 0 {
				t.Fatalf("a snapshot at %d already", n)
			}
			update(t, s, func(tx *Tx) error {
				return tx.Installation().Put(fleet.Installation{ID: strings.Repeat("x", 50<<10)})
			})
			writeNumbered(t, s, 40, 60, 100)
			eventually(t, "a snapshot", func() bool { return s.snapped.Load() > 0 })
		})
	}
}
