package state

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// logStore is raft's log and stable store in the folder.
type logStore struct {
	*wal.WAL
	meta *metaFile
}

func openLog(o Options, log hclog.Logger) (*logStore, error) {
	_, err := os.Stat(filepath.Join(o.Dir, metaName))
	meta, err := openMeta(o.Dir, errors.Is(err, os.ErrNotExist))
	if err != nil {
		return nil, err
	}
	w, err := wal.Open(o.Dir, wal.WithMetaStore(meta), wal.WithSegmentSize(o.SegmentSize), wal.WithLogger(log))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the log: %w", err), meta.Close())
	}
	return &logStore{WAL: w, meta: meta}, nil
}

// Close ends the use of the log's files.
func (l *logStore) Close() error { return errors.Join(l.WAL.Close(), l.meta.Close()) }

// serverID is this member's name for all time, made with the folder.
func (l *logStore) serverID() (raft.ServerID, error) {
	const key = "slipway/server-id"
	id, err := l.meta.GetStable([]byte(key))
	if err == nil && len(id) == 0 {
		id = []byte(rand.Text())
		err = l.meta.SetStable([]byte(key), id)
	}
	return raft.ServerID(id), err
}
