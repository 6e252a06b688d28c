package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"slipway/appliance/internal/durable"
)

// raftConfig is raft's configuration for this store. Snapshots are taken by
// compact, not by raft's own timer.
func raftConfig(id raft.ServerID, o Options, log hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = id
	c.Logger = log
	c.MaxAppendEntries = 256
	c.SnapshotInterval = 10 * 365 * 24 * time.Hour
	c.SnapshotThreshold = 1 << 60
	c.TrailingLogs = 0
	c.ShutdownOnRemove = false
	c.NoLegacyTelemetry = true
	timing(c, o.Stream != nil)
	return c
}

// openSnapshots opens the folder of snapshots. On a full disk it gives up the
// reserve for it.
func openSnapshots(dir string, log hclog.Logger, sp *space) (raft.SnapshotStore, error) {
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, keepSnapshots, log)
	if err != nil && sp.release() {
		snaps, err = raft.NewFileSnapshotStoreWithLogger(dir, keepSnapshots, log)
	}
	if err != nil {
		return nil, fmt.Errorf("open the snapshots in %s: %w", dir, err)
	}
	return snaps, nil
}

// olderSnapshot is the log index up to which both snapshots hold everything, 0 when
// there are not two yet. Their names are made durable first: what they hold is
// about to leave the log.
func olderSnapshot(dir string, snaps raft.SnapshotStore) (uint64, error) {
	list, err := snaps.List()
	if err != nil || len(list) < keepSnapshots {
		return 0, err
	}
	for _, meta := range list {
		if err := durable.Folder(filepath.Join(dir, "snapshots", meta.ID)); err != nil {
			return 0, err
		}
	}
	return list[len(list)-1].Index, durable.Folder(filepath.Join(dir, "snapshots"))
}

// lowMark is how many bytes must be free for a write of size bytes: room for the
// next segment and the next snapshot, which the write may cause.
func (s *Store) lowMark(size int) int64 {
	return int64(s.opts.SegmentSize) + s.snapLen.Load() + s.logs.bytes.Load() + 2*int64(size) + 256<<10
}

// compact takes a snapshot whenever enough was written since the last one, and
// takes the reserve back when there is room for it.
func (s *Store) compact() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var again time.Time // not before, after a failure
	for {
		if err := s.space.hold(s.lowMark(0)); err != nil {
			s.log.Debug("state: no room for the reserve yet", "error", err)
		}
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		if !s.due() || s.opts.Now().Before(again) {
			continue
		}
		if err := s.snapshot(); err != nil {
			s.log.Warn("state: no snapshot could be taken, it is tried again", "error", err)
			again = s.opts.Now().Add(10 * time.Second)
		}
	}
}

// due reports whether enough was written for a snapshot.
func (s *Store) due() bool {
	return s.raft.AppliedIndex()-s.snapped.Load() >= s.opts.SnapshotEvery || s.logs.bytes.Load() >= s.opts.SnapshotBytes
}

// snapshot writes the tables to a file and shortens the log. It leaves the space
// that the log needs for its next segment.
func (s *Store) snapshot() error {
	if err := s.space.need(s.lowMark(0)); err != nil {
		return err
	}
	bytes := s.logs.bytes.Load()
	f := s.raft.Snapshot()
	if err := f.Error(); err != nil {
		// raft leaves the unfinished files of a snapshot that failed on a full disk
		return errors.Join(err, removeLeftovers(s.opts.Dir, halfSnapshots))
	}
	meta, rc, err := f.Open()
	if err != nil {
		return err
	}
	s.logs.bytes.Add(-bytes)
	s.snapped.Store(meta.Index)
	s.snapLen.Store(meta.Size)
	return rc.Close()
}
