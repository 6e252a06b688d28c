package state

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"slipway/appliance/internal/durable"
	"slipway/fleet"
)

// Restore makes the folder dir out of what Backup wrote. dir must not exist, or be
// empty: ErrNotEmpty. Whatever happens, a crash included, dir holds the whole state
// afterwards or none: it is made under another name beside dir and renamed. The
// folder is that of a new member, alone, which any transport can open.
//
// Errors: ErrNotEmpty, ErrDamaged for a backup that is cut or changed, ErrNewer for
// one of a newer version; each is one line.
func Restore(ctx context.Context, dir string, r io.Reader) error {
	if err := refuseUsed(dir); err != nil {
		return err
	}
	m, index, err := readBackup(ctx, r)
	if err != nil {
		return err
	}
	tmp := filepath.Clean(dir) + newSuffix
	if err := os.RemoveAll(tmp); err != nil { // of a restore that was cut short
		return fmt.Errorf("remove an unfinished restore: %w", err)
	}
	err = m.writeFolder(tmp, index)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = renameFolder(tmp, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return durable.Folder(filepath.Dir(dir))
}

func refuseUsed(dir string) error {
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(list) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("restore the state: %w", err)
	}
	return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
}

// renameFolder replaces nothing but an empty folder (rename(2)).
func renameFolder(from, to string) error {
	err := unix.Rename(from, to) // os.Rename refuses every folder
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %w", to, ErrNotEmpty)
	}
	if err != nil {
		return fmt.Errorf("restore the state: %w", err)
	}
	return nil
}

// maxIndex is far above every log index there will be, and leaves room to count on.
const maxIndex = 1 << 60

// readBackup reads and checks a whole backup. index is beyond every version in it:
// where the log of the new folder goes on.
func readBackup(ctx context.Context, r io.Reader) (m *machine, index uint64, err error) {
	if m, err = newMachine(func([]Change) {}); err != nil {
		return nil, 0, err
	}
	source := &sourceReader{ctx: ctx, r: r}
	br := bufio.NewReaderSize(source, 64<<10) // readSnapshot takes it as it is
	db, err := m.readSnapshot(br)
	if source.err != nil {
		return nil, 0, fmt.Errorf("read the backup of the state: %w", source.err)
	}
	if err != nil {
		return nil, 0, err
	}
	if _, err := br.ReadByte(); err == nil {
		return nil, 0, fmt.Errorf("%w: more follows the end of the backup", ErrDamaged)
	}
	if source.err != nil {
		return nil, 0, fmt.Errorf("read the backup of the state: %w", source.err)
	}
	m.db.Store(db)
	newest, err := m.newestIndex()
	if err != nil {
		return nil, 0, err
	}
	return m, newest + 1, m.forget(fleet.TokenDevice)
}

// sourceReader ends with its context and remembers an error that is not the end.
type sourceReader struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// newestIndex is the highest log index that anything in the tables names.
func (m *machine) newestIndex() (uint64, error) {
	txn, newest := m.db.Load().Txn(false), uint64(0)
	for _, t := range m.tables {
		rows, err := lookup(txn, t.name, idIndex)
		if err != nil {
			return 0, err
		}
		_, version := summary(rows)
		stamped, err := tableVersion(txn, t.name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, version, stamped)
	}
	it, err := txn.Get(appliedTable, idIndex)
	if err != nil {
		return 0, err
	}
	for obj := it.Next(); obj != nil; obj = it.Next() {
		newest = max(newest, obj.(*applied).index)
	}
	if newest > maxIndex {
		return 0, fmt.Errorf("%w: the backup counts to %d", ErrDamaged, newest)
	}
	return newest, nil
}

// forget removes what must not come back with a backup: the sessions of browsers and
// the tokens of one kind, those of devices. Both are rights that were given for hours
// to somebody who was there then. In between they may have been ended or revoked, of
// which an older state knows nothing, and nobody would think of revoking them again:
// people and devices sign in anew, and a deployment under way is offered for
// continuing.
//
// API tokens stay, for scripts that nobody watches hold them; they have names in a
// list, where an administrator looks for those revoked since. Waits stay: a restore
// must not be a way to more guesses.
func (m *machine) forget(kind fleet.TokenKind) error {
	txn := m.db.Load().Txn(true)
	defer txn.Abort()
	err := deleteRows(txn, sessionsKind.name, func(*row) bool { return true })
	if err == nil {
		err = deleteRows(txn, tokensKind.name, func(r *row) bool { return r.rec.(*tokenRecord).Kind == string(kind) })
	}
	if err == nil {
		txn.Commit()
	}
	return err
}

func deleteRows(txn *memdb.Txn, table string, which func(*row) bool) error {
	rows, err := lookup(txn, table, idIndex)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !which(r) {
			continue
		}
		if err := txn.Delete(table, r); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
	}
	return nil
}

// restoredTerm is raft's term of a restored snapshot.
const restoredTerm = 1

// writeFolder writes the tables as the folder of a new member, durably: its id and
// term, and one snapshot that ends at index. The log begins with the first start.
func (m *machine) writeFolder(dir string, index uint64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	id, err := newMember(dir)
	if err != nil {
		return err
	}
	_, trans := raft.NewInmemTransport(inProcess)
	defer trans.Close()
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, keepSnapshots, hclog.NewNullLogger())
	if err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	alone := raft.Configuration{Servers: []raft.Server{{ID: id, Address: inProcess}}}
	sink, err := snaps.Create(raft.SnapshotVersionMax, index, restoredTerm, alone, index, trans)
	if err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	tables := &frozen{machine: m, txn: m.db.Load().Txn(false)}
	defer tables.Release()
	if err := tables.Persist(sink); err != nil {
		return err
	}
	return errors.Join(durable.Folder(filepath.Join(dir, "snapshots", sink.ID())), durable.Folder(filepath.Join(dir, "snapshots")), durable.Folder(dir))
}

// newMember makes the meta file, with an id of its own.
func newMember(dir string) (raft.ServerID, error) {
	meta, err := openMeta(dir, true)
	if err != nil {
		return "", err
	}
	l := &logStore{meta: meta, log: slog.New(slog.DiscardHandler)}
	id, err := l.serverID()
	if err == nil {
		err = l.SetUint64([]byte(keyTerm), restoredTerm)
	}
	return id, errors.Join(err, l.deadErr(), meta.Close())
}

// InUse reports whether a process has the state in dir open. An error counts as no:
// what is wrong with the folder is for others to tell.
func InUse(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return false
	}
	defer f.Close() // gives the lock back
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}
