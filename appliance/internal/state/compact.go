package state

import (
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// raftConfig is raft's configuration for this store. Snapshots are taken by
// compact, not by raft's own timer.
func raftConfig(id raft.ServerID, o Options, log hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = id
	c.Logger = log
	c.BatchApplyCh = true
	c.MaxAppendEntries = 256
	c.SnapshotInterval = 10 * 365 * 24 * time.Hour
	c.SnapshotThreshold = 1 << 60
	c.TrailingLogs = 0
	c.ShutdownOnRemove = false
	c.NoLegacyTelemetry = true
	timing(c, o.Stream != nil)
	return c
}

// compact takes a snapshot whenever enough was written since the last one.
func (s *Store) compact() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		if index := s.raft.AppliedIndex(); index-last < s.opts.SnapshotEvery {
			continue
		}
		last = s.raft.AppliedIndex()
		if err := s.raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
			s.log.Warn("state: no snapshot could be taken", "error", err)
		}
	}
}
