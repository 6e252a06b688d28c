package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Store is an open state folder.
type Store struct {
	opts    Options
	log     *slog.Logger
	lock    *os.File
	machine *machine
	hub     *hub
	space   *space
	logs    *logStore
	snapped atomic.Uint64 // log index of the newest snapshot
	snapLen atomic.Int64  // its size in bytes
	trans   transport
	id      raft.ServerID
	raft    *raft.Raft
	turn    sync.RWMutex // held for reading by a write; for writing by one that keeps losing
	closing chan struct{}
	once    sync.Once
	closed  error
	bg      sync.WaitGroup // compaction
}

// Open opens the state in o.Dir, or makes a new one there, and waits until it can
// take writes: well under a second for a single member. Its errors are one line
// that says what to do; they wrap ErrLocked, ErrNewer or ErrDamaged where it is that.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Store{opts: o, log: o.Logger, hub: newHub(), closing: make(chan struct{})}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	if err := os.Chmod(s.opts.Dir, 0o700); err != nil { // it holds hashes and addresses
		return fmt.Errorf("make the state folder: %w", err)
	}
	if s.lock, err = lockFolder(s.opts.Dir); err != nil {
		return err
	}
	if err := errors.Join(removeLeftovers(s.opts.Dir, newFiles), removeLeftovers(s.opts.Dir, halfSnapshots)); err != nil {
		return err
	}
	if s.machine, err = newMachine(s.hub.publish); err != nil {
		return err
	}
	hlog := raftLogger(s.log)
	s.space = newSpace(s.opts.Dir, s.opts.Reserve)
	snaps, err := s.openFiles(hlog)
	if err != nil {
		return err
	}
	s.trans = newTransport(s.opts.Stream, hlog)
	id, err := s.logs.serverID()
	if err != nil {
		return err
	}
	conf := raftConfig(id, s.opts, hlog)
	if err := s.bootstrap(conf, snaps); err != nil {
		return err
	}
	if s.raft, err = raft.NewRaft(conf, s.machine, s.logs, s.logs, snaps, s.trans); err != nil {
		return cmp.Or(s.machine.err(), fmt.Errorf("start the state: %w", err))
	}
	s.id = id
	return s.settleIn(ctx)
}

// openFiles opens snapshots and log and reads all of them once.
func (s *Store) openFiles(hlog hclog.Logger) (raft.SnapshotStore, error) {
	snaps, err := openSnapshots(s.opts.Dir, hlog, s.space)
	if err != nil {
		return nil, err
	}
	covered, err := s.newestSnapshot(snaps)
	if err != nil {
		return nil, err
	}
	if s.logs, err = openLog(s.opts, hlog, s.space, covered); err != nil {
		return nil, err
	}
	s.logs.keep = func() (uint64, error) { return olderSnapshot(s.opts.Dir, snaps) }
	size, err := s.checkLog(covered)
	if err != nil {
		return nil, err
	}
	s.logs.bytes.Store(size)
	s.snapped.Store(covered)
	return snaps, nil
}

// keepSnapshots is how many snapshots stay on disk.
const keepSnapshots = 2

// bootstrap makes this the only member of a new cluster, once.
func (s *Store) bootstrap(conf *raft.Config, snaps raft.SnapshotStore) error {
	has, err := raft.HasExistingState(s.logs, s.logs, snaps)
	if err != nil {
		return fmt.Errorf("look for an existing state: %w", err)
	}
	if has {
		return nil
	}
	members := raft.Configuration{Servers: []raft.Server{{ID: conf.LocalID, Address: s.trans.LocalAddr()}}}
	if err := raft.BootstrapCluster(conf, s.logs, s.logs, snaps, s.trans, members); err != nil {
		return fmt.Errorf("create the state: %w", err)
	}
	return nil
}

// settleIn waits until every entry of the log is in the tables.
func (s *Store) settleIn(ctx context.Context) error {
	if err := s.waitLeader(ctx); err != nil {
		return err
	}
	if err := s.machine.err(); err != nil {
		return err
	}
	if err := s.ownAddress(); err != nil {
		return err
	}
	s.bg.Go(s.compact)
	return nil
}

// ownAddress enters the transport's address when the folder was last used with
// another transport.
func (s *Store) ownAddress() error {
	f := s.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return fmt.Errorf("read the members: %w", err)
	}
	for _, m := range f.Configuration().Servers {
		if m.ID == s.id && m.Address != s.trans.LocalAddr() {
			if err := s.raft.AddVoter(s.id, s.trans.LocalAddr(), 0, enqueueWait).Error(); err != nil {
				return fmt.Errorf("enter the new address: %w", err)
			}
		}
	}
	return nil
}

// waitLeader returns once this member leads and has applied the whole log.
func (s *Store) waitLeader(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if s.raft.State() == raft.Leader && s.raft.Barrier(5*time.Second).Error() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotReady, ctx.Err())
		case <-s.closing:
			return ErrClosed
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// View runs fn on a frozen, consistent state. fn's error is returned as it is.
func (s *Store) View(fn func(tx *Tx) error) error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	tx := newTx(s.machine, false)
	defer tx.end()
	return fn(tx)
}

// Ready says whether writes are taken at this moment: nil, or ErrFull, ErrNotReady,
// ErrClosed or what broke the store.
func (s *Store) Ready() error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	if err := s.machine.err(); err != nil {
		return err
	}
	if err := s.logs.deadErr(); err != nil {
		return err
	}
	if err := s.space.need(s.lowMark(0)); err != nil {
		return err
	}
	if s.logs.full.Load() {
		return ErrFull
	}
	if s.raft.State() != raft.Leader {
		return ErrNotReady
	}
	return nil
}

// Close ends all use of the folder. Writes that wait for their outcome get
// ErrClosed. It may be called more than once.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		s.closed = s.release()
	})
	return s.closed
}

// release undoes open, as far as it came.
func (s *Store) release() error {
	var errs []error
	if s.raft != nil {
		errs = append(errs, s.raft.Shutdown().Error())
	}
	s.bg.Wait()
	s.hub.close()
	if s.trans != nil {
		errs = append(errs, s.trans.Close())
	}
	if s.logs != nil {
		errs = append(errs, s.logs.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
