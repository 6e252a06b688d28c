package state

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
)

// logStore is raft's log and stable store in the folder: raft-wal, opened anew when
// it cannot go on after an error, and never shortened beyond the older snapshot.
type logStore struct {
	dir   string
	size  int
	hlog  hclog.Logger
	log   *slog.Logger
	meta  *metaFile
	files *files
	space *space
	keep  func() (uint64, error) // entries up to here may go
	bytes atomic.Int64           // stored since the last snapshot
	full  atomic.Bool            // the last attempt to store met a full disk
	dead  atomic.Pointer[error]  // why nothing can be stored any more

	writing sync.Mutex   // one writer
	mu      sync.RWMutex // guards wal
	wal     *wal.WAL
}

// errNotStored marks entries that are certainly not in the log.
var errNotStored = errors.New("the log could not be written")

// openLog opens the log in o.Dir or makes a new one. Entries up to covered are in a
// snapshot.
func openLog(o Options, hlog hclog.Logger, sp *space, covered uint64) (*logStore, error) {
	_, err := os.Stat(filepath.Join(o.Dir, metaName))
	fresh := errors.Is(err, os.ErrNotExist)
	if fresh {
		if err := refuseOrphans(o.Dir, covered); err != nil {
			return nil, err
		}
	}
	meta, err := openMeta(o.Dir, fresh)
	if err != nil {
		return nil, fullError(err)
	}
	l := &logStore{dir: o.Dir, size: o.SegmentSize, hlog: hlog, log: o.Logger, meta: meta, space: sp,
		keep: func() (uint64, error) { return 0, nil }}
	l.files = &files{created: meta.markCreated}
	if err := l.openWAL(covered); err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	return l, nil
}

// refuseOrphans refuses to make a new log beside the remains of an old one.
func refuseOrphans(dir string, covered uint64) error {
	names, err := segmentFiles(dir)
	if err != nil {
		return err
	}
	if len(names) > 0 || covered > 0 {
		return fmt.Errorf("%w: the file %s is missing although there is a state; restore a backup",
			ErrDamaged, filepath.Join(dir, metaName))
	}
	return nil
}

// openWAL repairs and opens the log; on a full disk it gives up the reserve for it.
func (l *logStore) openWAL(covered uint64) error {
	if err := repairSegments(l.dir, l.meta, covered); err != nil {
		return err
	}
	w, err := l.tryOpen()
	if err != nil && errors.Is(fullError(err), ErrFull) && l.space.release() {
		w, err = l.tryOpen()
	}
	if err != nil {
		return fmt.Errorf("open the log: %w", fullError(err))
	}
	l.mu.Lock()
	l.wal = w
	l.mu.Unlock()
	return nil
}

func (l *logStore) tryOpen() (*wal.WAL, error) {
	return wal.Open(l.dir, wal.WithMetaStore(l.meta), wal.WithSegmentSize(l.size), wal.WithLogger(l.hlog),
		wal.WithSegmentFiler(segment.NewFiler(l.dir, l.files)))
}

// current is the open log.
func (l *logStore) current() *wal.WAL {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.wal
}

// StoreLogs implements raft.LogStore: it returns nil once all entries are on disk.
func (l *logStore) StoreLogs(logs []*raft.Log) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.deadErr(); err != nil {
		return fmt.Errorf("%w: %w", errNotStored, err)
	}
	err := l.current().StoreLogs(logs)
	if err != nil {
		err = l.retry(logs, err)
	}
	if l.full.Store(errors.Is(err, ErrFull)); err != nil {
		return err
	}
	for _, e := range logs {
		l.bytes.Add(int64(len(e.Data)))
	}
	return nil
}

// retry opens the log anew and stores logs once more. raft-wal cannot continue
// after an error of its own, be it a full disk or a segment that could not be made.
func (l *logStore) retry(logs []*raft.Log, cause error) error {
	if l.files.broken.Load() {
		return l.die(fmt.Errorf("the disk failed to keep a write: check the disk, then start Slipway again: %w", cause))
	}
	if gaveUp := l.space.release(); !l.full.Load() { // said once, tried many times
		l.log.Warn("state: the log is opened anew", "cause", cause, "reserve", gaveUp)
	}
	if err := l.reopen(); err != nil {
		if errors.Is(err, ErrFull) {
			return notStored(err)
		}
		return l.die(err)
	}
	if last, err := l.current().LastIndex(); err != nil || (last != 0 && last != logs[0].Index-1) {
		return l.die(fmt.Errorf("%w: the log ends at entry %d instead of %d; start Slipway again", ErrDamaged, last, logs[0].Index-1))
	}
	if err := l.current().StoreLogs(logs); err != nil {
		return notStored(fullError(err))
	}
	return nil
}

// notStored holds raft up a little: it tries to lead again at once.
func notStored(err error) error {
	time.Sleep(50 * time.Millisecond)
	return fmt.Errorf("%w: %w", errNotStored, err)
}

func (l *logStore) reopen() error {
	if err := l.current().Close(); err != nil {
		return err
	}
	return l.openWAL(0)
}

// die ends all writing for good: what the disk holds is not certain any more.
func (l *logStore) die(err error) error {
	if l.dead.CompareAndSwap(nil, &err) {
		l.log.Error("state: no more writes are taken", "cause", err)
	}
	return err
}

func (l *logStore) deadErr() error {
	if p := l.dead.Load(); p != nil {
		return *p
	}
	return nil
}

// StoreLog implements raft.LogStore.
func (l *logStore) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// DeleteRange implements raft.LogStore. From the beginning it deletes only what the
// older snapshot holds too: should the newest be unreadable, the older one and the
// log still give everything.
func (l *logStore) DeleteRange(from, to uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	first, err := l.current().FirstIndex()
	if err != nil {
		return err
	}
	if from <= first {
		keep, err := l.keep()
		if err != nil {
			return err
		}
		if to = min(to, keep); to < from {
			return nil
		}
	}
	return l.current().DeleteRange(from, to)
}

// FirstIndex implements raft.LogStore.
func (l *logStore) FirstIndex() (uint64, error) { return l.current().FirstIndex() }

// LastIndex implements raft.LogStore.
func (l *logStore) LastIndex() (uint64, error) { return l.current().LastIndex() }

// GetLog implements raft.LogStore.
func (l *logStore) GetLog(index uint64, log *raft.Log) error { return l.current().GetLog(index, log) }

// IsMonotonic implements raft.MonotonicLogStore.
func (l *logStore) IsMonotonic() bool { return true }

// keyTerm is the stable key whose failed write makes raft panic.
const keyTerm = "CurrentTerm"

// Set implements raft.StableStore.
func (l *logStore) Set(key, val []byte) error {
	err := l.deadErr()
	if err == nil {
		if err = l.meta.SetStable(key, val); err != nil {
			err = l.die(err)
		}
	}
	if string(key) == keyTerm {
		return nil // raft would panic; a dead log acknowledges nothing and votes for nobody
	}
	return err
}

// Get implements raft.StableStore.
func (l *logStore) Get(key []byte) ([]byte, error) { return l.meta.GetStable(key) }

// SetUint64 implements raft.StableStore.
func (l *logStore) SetUint64(key []byte, val uint64) error {
	return l.Set(key, binary.LittleEndian.AppendUint64(nil, val))
}

// GetUint64 implements raft.StableStore.
func (l *logStore) GetUint64(key []byte) (uint64, error) {
	val, err := l.Get(key)
	if err != nil || len(val) != 8 {
		return 0, err
	}
	return binary.LittleEndian.Uint64(val), nil
}

// Close ends the use of the log's files.
func (l *logStore) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return errors.Join(l.current().Close(), l.meta.Close())
}

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
