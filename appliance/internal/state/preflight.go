package state

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// Before raft starts, everything it will read is read once: raft panics where it
// cannot read, and would quietly take an older snapshot for one it cannot.

// newestSnapshot is the log index of the newest snapshot that can be read, 0 when
// there is none.
func (s *Store) newestSnapshot(snaps raft.SnapshotStore) (uint64, error) {
	list, err := snaps.List()
	if err != nil {
		return 0, fmt.Errorf("list the snapshots: %w", err)
	}
	var unread []error
	for _, meta := range list {
		err := checkSnapshot(snaps, meta.ID)
		if err == nil {
			s.snapLen.Store(meta.Size)
			return meta.Index, nil
		}
		if errors.Is(err, ErrNewer) {
			return 0, err
		}
		s.log.Warn("state: a snapshot cannot be read, the one before it is tried", "snapshot", meta.ID, "error", err)
		unread = append(unread, err)
	}
	if len(unread) > 0 {
		return 0, fmt.Errorf("%w: no snapshot in %s can be read; restore a backup", ErrDamaged, s.opts.Dir)
	}
	return 0, nil
}

// checkSnapshot reads a snapshot's checksum and format.
func checkSnapshot(snaps raft.SnapshotStore, id string) error {
	_, rc, err := snaps.Open(id)
	if err != nil {
		return err
	}
	return errors.Join(readSnapshotHeader(rc), rc.Close())
}

// checkLog decodes every entry that follows the snapshot and reports their size.
func (s *Store) checkLog(covered uint64) (size int64, err error) {
	first, err := s.logs.FirstIndex()
	if err != nil {
		return 0, err
	}
	last, err := s.logs.LastIndex()
	if err != nil {
		return 0, err
	}
	if last > 0 && (first > covered+1 || last < covered) {
		return 0, fmt.Errorf("%w: the log holds entries %d to %d, the newest readable snapshot ends at %d; restore a backup",
			ErrDamaged, first, last, covered)
	}
	for i := max(first, covered+1); i <= last && last > 0; i++ {
		var l raft.Log
		if err := s.logs.GetLog(i, &l); err != nil {
			return 0, fmt.Errorf("%w: log entry %d cannot be read (%v); restore a backup", ErrDamaged, i, err)
		}
		if l.Type == raft.LogCommand {
			if err := s.machine.understands(l.Data); err != nil {
				return 0, fmt.Errorf("log entry %d: %w", i, err)
			}
		}
		size += int64(len(l.Data))
	}
	return size, nil
}

// understands tells whether an entry and all its records can be applied.
func (m *machine) understands(data []byte) error {
	e, err := decodeEntry(data)
	if err != nil {
		return err
	}
	for _, c := range e.checks {
		if m.byName[c.table] == nil || c.kind > checkLookup {
			return fmt.Errorf("table %q: %w", c.table, ErrNewer)
		}
	}
	for _, c := range e.changes {
		t := m.byName[c.table]
		if t == nil {
			return fmt.Errorf("table %q: %w", c.table, ErrNewer)
		}
		if c.remove {
			continue
		}
		if _, err := t.decode(c.data); err != nil {
			return err
		}
	}
	return nil
}
