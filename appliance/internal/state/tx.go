package state

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// Tx is one transaction: a frozen, consistent view of all tables and, in an
// Update, the changes made so far. It is good for one goroutine and until its
// closure returns.
type Tx struct {
	db      *memdb.MemDB // frozen copy of the tables
	base    *memdb.Txn   // reads it
	work    *memdb.Txn   // a private write to it that never commits; nil until the first change
	write   bool
	ended   bool
	checks  map[[4]string]check // what was read, by kind, table, index and value
	changes map[[2]string]change
}

func newTx(m *machine, write bool) *Tx {
	db := m.db.Load().Snapshot()
	tx := &Tx{db: db, base: db.Txn(false), write: write}
	if write {
		tx.checks = map[[4]string]check{}
		tx.changes = map[[2]string]change{}
	}
	return tx
}

// end releases what the transaction holds. A Table kept beyond it answers ErrEnded.
func (tx *Tx) end() {
	tx.ended = true
	if tx.work != nil {
		tx.work.Abort()
	}
}

// current is where reads go: the private copy once there is one.
func (tx *Tx) current() *memdb.Txn {
	if tx.work != nil {
		return tx.work
	}
	return tx.base
}

// get reads one record; nil when there is none.
func (tx *Tx) get(table, key string) (*row, error) {
	if tx.ended {
		return nil, ErrEnded
	}
	if tx.write {
		if err := tx.readRecord(table, key); err != nil {
			return nil, err
		}
	}
	return getRow(tx.current(), table, key)
}

// rows reads a whole table in key order.
func (tx *Tx) rows(table string) ([]*row, error) {
	if tx.ended {
		return nil, ErrEnded
	}
	if tx.write {
		v, err := tableVersion(tx.base, table)
		if err != nil {
			return nil, err
		}
		tx.note(check{kind: checkTable, table: table, max: v})
	}
	return lookup(tx.current(), table, idIndex)
}

// find reads the records that an index holds under value, in key order.
func (tx *Tx) find(table, index, value string) ([]*row, error) {
	if tx.ended {
		return nil, ErrEnded
	}
	if value == "" {
		return nil, nil // never indexed
	}
	if tx.write {
		before, err := lookup(tx.base, table, index, value)
		if err != nil {
			return nil, err
		}
		count, newest := summary(before)
		tx.note(check{kind: checkLookup, table: table, index: index, value: value, count: count, max: newest})
	}
	return lookup(tx.current(), table, index, value)
}

// readRecord notes the version a record had at the start.
func (tx *Tx) readRecord(table, key string) error {
	old, err := getRow(tx.base, table, key)
	if err != nil {
		return err
	}
	tx.note(check{kind: checkRecord, table: table, value: key, max: versionOf(old)})
	return nil
}

func (tx *Tx) note(c check) {
	tx.checks[[4]string{string([]byte{c.kind}), c.table, c.index, c.value}] = c
}

// put writes a record into the private copy and notes the change.
func (tx *Tx) put(s *schema, key string, data []byte) error {
	if err := tx.writable(s.name, key); err != nil {
		return err
	}
	if len(data) > MaxRecord {
		return fmt.Errorf("%s: record of %d bytes (at most %d): %w", s.name, len(data), MaxRecord, ErrTooLarge)
	}
	rec, err := s.decode(data)
	if err != nil {
		return err
	}
	if err := s.checkValues(rec); err != nil {
		return err
	}
	old, err := getRow(tx.base, s.name, key)
	if err != nil {
		return err
	}
	if err := tx.work.Insert(s.name, &row{key: key, version: versionOf(old), data: data, rec: rec}); err != nil {
		return fmt.Errorf("insert into %s: %w", s.name, err)
	}
	tx.changes[[2]string{s.name, key}] = change{table: s.name, key: key, expect: versionOf(old), data: data}
	return nil
}

// remove deletes a record. Removing what does not exist changes nothing.
func (tx *Tx) remove(table, key string) error {
	if err := tx.writable(table, key); err != nil {
		return err
	}
	now, err := getRow(tx.work, table, key)
	if err != nil {
		return err
	}
	if now != nil {
		if err := tx.work.Delete(table, now); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
	}
	old, err := getRow(tx.base, table, key)
	if err != nil {
		return err
	}
	if old == nil { // it came and went within this transaction, or never was
		delete(tx.changes, [2]string{table, key})
		return tx.readRecord(table, key)
	}
	tx.changes[[2]string{table, key}] = change{table: table, key: key, expect: old.version, remove: true}
	return nil
}

// writable prepares the first change.
func (tx *Tx) writable(table, key string) error {
	switch {
	case tx.ended:
		return ErrEnded
	case !tx.write:
		return ErrReadOnly
	}
	if err := checkKey(table, key); err != nil {
		return err
	}
	if tx.work == nil {
		tx.work = tx.db.Txn(true)
	}
	return nil
}

// entry is what the transaction proposes. Its order does not depend on maps, and
// records that are written need no check beside their expected version.
func (tx *Tx) entry(key string, named bool) *entry {
	e := &entry{key: key, named: named}
	for _, c := range tx.changes {
		e.changes = append(e.changes, c)
		delete(tx.checks, [4]string{string([]byte{checkRecord}), c.table, "", c.key})
	}
	for _, c := range tx.checks {
		e.checks = append(e.checks, c)
	}
	slices.SortFunc(e.changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key))
	})
	slices.SortFunc(e.checks, func(a, b check) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.table, b.table),
			cmp.Compare(a.index, b.index), cmp.Compare(a.value, b.value))
	})
	return e
}
