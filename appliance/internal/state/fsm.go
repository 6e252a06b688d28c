package state

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/raft"
)

// How many idempotency keys are remembered. Keys the store made itself only have
// to outlive the question for their own outcome.
const (
	keepAuto  = 4096
	keepNamed = 65536
)

// outcome is what Apply answers.
type outcome int

const (
	outcomeApplied  outcome = iota // every change is written
	outcomeConflict                // a version differed, nothing is written
	outcomeRepeated                // an entry with this idempotency key was applied before
)

// machine is the state machine: tables in memory that log entries change. Apply
// only compares versions and writes. It has no clock, no randomness, no settings
// and no I/O, and visits no map in its own order: the same log gives the same
// tables everywhere.
type machine struct {
	tables  []*schema // sorted by name
	byName  map[string]*schema
	db      atomic.Pointer[memdb.MemDB]
	publish func([]Change)
	broken  atomic.Pointer[error] // an entry or snapshot could not be understood
}

func newMachine(publish func([]Change)) (*machine, error) {
	m := &machine{tables: allTables(), byName: map[string]*schema{}, publish: publish}
	for _, t := range m.tables {
		m.byName[t.name] = t
	}
	db, err := memdb.NewMemDB(memSchema(m.tables))
	if err != nil {
		return nil, fmt.Errorf("build the tables: %w", err)
	}
	m.db.Store(db)
	return m, nil
}

// Apply implements raft.FSM. Its answer is an outcome or an error.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM: the same as Apply for each entry in turn,
// at the price of one commit.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	answers := make([]any, len(logs))
	var changed []Change
	txn := m.db.Load().Txn(true)
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			continue // a change of members
		}
		out, c, err := m.applyLog(txn, l)
		if answers[i] = out; err != nil {
			answers[i] = m.fail(l.Index, err)
		}
		changed = append(changed, c...)
	}
	txn.Commit()
	if len(changed) > 0 {
		m.publish(changed)
	}
	return answers
}

func (m *machine) applyLog(txn *memdb.Txn, l *raft.Log) (outcome, []Change, error) {
	e, err := decodeEntry(l.Data)
	if err != nil {
		return 0, nil, err
	}
	return m.apply(txn, l.Index, e)
}

// fail remembers that the tables no longer follow the log.
func (m *machine) fail(index uint64, err error) error {
	err = fmt.Errorf("log entry %d: %w", index, err)
	m.broken.CompareAndSwap(nil, &err)
	return err
}

// err says whether an entry or a snapshot could not be understood.
func (m *machine) err() error {
	if p := m.broken.Load(); p != nil {
		return *p
	}
	return nil
}

// apply writes e at a log index, or nothing of it: everything that could speak
// against it is looked at before the first write.
func (m *machine) apply(txn *memdb.Txn, index uint64, e *entry) (outcome, []Change, error) {
	seen, err := txn.First(appliedTable, idIndex, e.key)
	if err != nil {
		return 0, nil, fmt.Errorf("look up an idempotency key: %w", err)
	}
	if seen != nil {
		return outcomeRepeated, nil, nil
	}
	for _, c := range e.checks {
		if ok, err := m.holds(txn, c); err != nil || !ok {
			return outcomeConflict, nil, err
		}
	}
	writes, err := m.prepare(txn, index, e.changes)
	if err != nil || writes == nil {
		return outcomeConflict, nil, err
	}
	changed := make([]Change, len(writes))
	for i, w := range writes {
		changed[i] = Change{Table: w.table, Key: w.key, Deleted: w.now == nil}
		if err := w.do(txn, index); err != nil {
			return 0, nil, err
		}
	}
	return outcomeApplied, changed, remember(txn, &applied{key: e.key, index: index, named: e.named})
}

// holds compares what a transaction had read with what is there now.
func (m *machine) holds(txn *memdb.Txn, c check) (bool, error) {
	if m.byName[c.table] == nil {
		return false, fmt.Errorf("table %q: %w", c.table, ErrNewer)
	}
	switch c.kind {
	case checkRecord:
		r, err := getRow(txn, c.table, c.value)
		return err == nil && versionOf(r) == c.max, err
	case checkTable:
		v, err := tableVersion(txn, c.table)
		return err == nil && v == c.max, err
	case checkLookup:
		rows, err := lookup(txn, c.table, c.index, c.value)
		count, newest := summary(rows)
		return err == nil && count == c.count && newest == c.max, err
	}
	return false, fmt.Errorf("check of kind %d: %w", c.kind, ErrNewer)
}

// write is a change that is going to be made: old becomes now. Either may be nil.
type write struct {
	table, key string
	old, now   *row
}

// prepare decodes the changes; nil when a record has another version than expected.
func (m *machine) prepare(txn *memdb.Txn, index uint64, changes []change) ([]write, error) {
	writes := make([]write, len(changes))
	for i, c := range changes {
		t := m.byName[c.table]
		if t == nil {
			return nil, fmt.Errorf("table %q: %w", c.table, ErrNewer)
		}
		old, err := getRow(txn, c.table, c.key)
		if err != nil || versionOf(old) != c.expect {
			return nil, err
		}
		writes[i] = write{table: c.table, key: c.key, old: old}
		if c.remove {
			continue
		}
		rec, err := t.decode(c.data)
		if err != nil {
			return nil, err
		}
		writes[i].now = &row{key: c.key, version: index, data: c.data, rec: rec}
	}
	return writes, nil
}

func (w write) do(txn *memdb.Txn, index uint64) error {
	if err := txn.Insert(stampTable, &stamp{table: w.table, version: index}); err != nil {
		return fmt.Errorf("stamp %s: %w", w.table, err)
	}
	switch {
	case w.now != nil:
		if err := txn.Insert(w.table, w.now); err != nil {
			return fmt.Errorf("insert into %s: %w", w.table, err)
		}
	case w.old != nil:
		if err := txn.Delete(w.table, w.old); err != nil {
			return fmt.Errorf("delete from %s: %w", w.table, err)
		}
	}
	return nil
}

// remember keeps an idempotency key and forgets the oldest of its kind when there
// are too many. Both depend on the log alone.
func remember(txn *memdb.Txn, a *applied) error {
	if err := txn.Insert(appliedTable, a); err != nil {
		return fmt.Errorf("remember an idempotency key: %w", err)
	}
	count, err := tableVersion(txn, a.counter())
	if err != nil {
		return err
	}
	keep := uint64(keepAuto)
	if a.named {
		keep = keepNamed
	}
	if count++; count > keep {
		oldest, err := txn.First(appliedTable, ageIndex+"_prefix", a.counter()+"/")
		if err != nil || oldest == nil {
			return fmt.Errorf("find the oldest idempotency key: %w", err)
		}
		if err := txn.Delete(appliedTable, oldest); err != nil {
			return fmt.Errorf("forget an idempotency key: %w", err)
		}
		count--
	}
	if err := txn.Insert(stampTable, &stamp{table: a.counter(), version: count}); err != nil {
		return fmt.Errorf("count idempotency keys: %w", err)
	}
	return nil
}

// Restore implements raft.FSM: the tables become those of the snapshot.
func (m *machine) Restore(rc io.ReadCloser) error {
	db, err := m.readSnapshot(rc)
	if err != nil {
		if errors.Is(err, ErrNewer) {
			m.broken.CompareAndSwap(nil, &err)
		}
		return err
	}
	m.db.Store(db)
	m.publish([]Change{{Lost: true}})
	return nil
}

func getRow(txn *memdb.Txn, table, key string) (*row, error) {
	obj, err := txn.First(table, idIndex, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	r, _ := obj.(*row)
	return r, nil
}

func versionOf(r *row) uint64 {
	if r == nil {
		return 0
	}
	return r.version
}

func tableVersion(txn *memdb.Txn, table string) (uint64, error) {
	obj, err := txn.First(stampTable, idIndex, table)
	if err != nil {
		return 0, fmt.Errorf("read the stamp of %s: %w", table, err)
	}
	if obj == nil {
		return 0, nil
	}
	return obj.(*stamp).version, nil
}

// lookup collects the rows an index finds, in key order. They are collected before
// anyone uses them because go-memdb's iterators do not survive a write.
func lookup(txn *memdb.Txn, table, index string, args ...any) ([]*row, error) {
	it, err := txn.Get(table, index, args...)
	if err != nil {
		return nil, fmt.Errorf("look up %s by %s: %w", table, index, err)
	}
	var rows []*row
	for obj := it.Next(); obj != nil; obj = it.Next() {
		rows = append(rows, obj.(*row))
	}
	return rows, nil
}

func summary(rows []*row) (count, newest uint64) {
	for _, r := range rows {
		newest = max(newest, r.version)
	}
	return uint64(len(rows)), newest
}
