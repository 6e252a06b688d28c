package state

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/go-memdb"
)

// Limits of what one write may hold.
const (
	MaxKey         = 512     // bytes of a key
	MaxRecord      = 1 << 20 // bytes of one encoded record
	MaxTransaction = 4 << 20 // bytes of one encoded transaction
)

// schema is what the untyped core knows of a table.
type schema struct {
	name    string
	decode  func(data []byte) (any, error) // a record as stored -> pointer to its private type
	indexes []index
}

// index derives lookup values from a decoded record. Empty values are not indexed.
type index struct {
	name   string
	values func(rec any) []string
}

// kind is a table's typed face: T is the domain type.
type kind[T any] struct {
	schema
	key    func(T) string
	encode func(T) ([]byte, error)
	domain func(rec any) T
}

// recordFormat is the format number every record begins with today. A table that
// changes its record's meaning gets its own number and keeps decoding this one.
const recordFormat = 1

// define ties a domain type T to its stored record S. toDomain must copy whatever
// S shares by reference: rows are shared by all readers.
func define[T, S any](name string, key func(T) string, toRecord func(T) S, toDomain func(S) T, indexes ...index) kind[T] {
	return kind[T]{
		schema: schema{name: name, indexes: indexes, decode: func(data []byte) (any, error) {
			return decodeRecord[S](name, data)
		}},
		key: key,
		encode: func(v T) ([]byte, error) {
			body, err := json.Marshal(toRecord(v))
			if err != nil {
				return nil, fmt.Errorf("encode a record of %s: %w", name, err)
			}
			return append([]byte{recordFormat}, body...), nil
		},
		domain: func(rec any) T { return toDomain(*rec.(*S)) },
	}
}

func decodeRecord[S any](table string, data []byte) (any, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: empty record in %s", ErrDamaged, table)
	}
	if data[0] > recordFormat {
		return nil, fmt.Errorf("record format %d of %s: %w", data[0], table, ErrNewer)
	}
	rec := new(S)
	if err := json.Unmarshal(data[1:], rec); err != nil {
		return nil, fmt.Errorf("%w: record in %s: %v", ErrDamaged, table, err)
	}
	return rec, nil
}

// on makes an index over records of type S.
func on[S any](name string, values func(*S) []string) index {
	return index{name: name, values: func(rec any) []string { return values(rec.(*S)) }}
}

// one is for indexes over a single value.
func one(v string) []string { return []string{v} }

// row is a record in memory. Rows are never changed once they are in a table.
type row struct {
	key     string
	version uint64 // log index of the entry that wrote it
	data    []byte // as stored, format number first
	rec     any    // data decoded
}

// applied remembers that the entry with an idempotency key was applied.
type applied struct {
	key   string
	index uint64 // log index
	named bool   // the caller chose the key (UpdateOnce)
}

// stamp holds the log index of the last change to a table. Under the names
// countAuto and countNamed it holds how many idempotency keys are remembered.
type stamp struct {
	table   string
	version uint64
}

// Names of the tables that hold the machinery; they cannot clash with tables.
const (
	appliedTable = "_applied"
	stampTable   = "_stamps"
	idIndex      = "id"
	ageIndex     = "age"
	countAuto    = "_auto"
	countNamed   = "_named"
)

// memSchema builds the go-memdb schema of all tables.
func memSchema(tables []*schema) *memdb.DBSchema {
	s := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		appliedTable: {Name: appliedTable, Indexes: map[string]*memdb.IndexSchema{
			idIndex:  {Name: idIndex, Unique: true, Indexer: keyIndexer(func(o any) string { return o.(*applied).key })},
			ageIndex: {Name: ageIndex, Unique: true, Indexer: keyIndexer(func(o any) string { return age(o.(*applied)) })},
		}},
		stampTable: {Name: stampTable, Indexes: map[string]*memdb.IndexSchema{
			idIndex: {Name: idIndex, Unique: true, Indexer: keyIndexer(func(o any) string { return o.(*stamp).table })},
		}},
	}}
	for _, t := range tables {
		ts := &memdb.TableSchema{Name: t.name, Indexes: map[string]*memdb.IndexSchema{
			idIndex: {Name: idIndex, Unique: true, Indexer: keyIndexer(func(o any) string { return o.(*row).key })},
		}}
		for _, ix := range t.indexes {
			ts.Indexes[ix.name] = &memdb.IndexSchema{Name: ix.name, AllowMissing: true, Indexer: valueIndexer{ix.values}}
		}
		s.Tables[t.name] = ts
	}
	return s
}

// age sorts applied keys by kind, then by log index.
func age(a *applied) string { return fmt.Sprintf("%s/%020d", a.counter(), a.index) }

// counter names the count of a's kind.
func (a *applied) counter() string {
	if a.named {
		return countNamed
	}
	return countAuto
}

// term ends an index value, so that no value is a prefix of another.
func term(v string) []byte { return append([]byte(v), 0) }

// keyIndexer indexes one value per object.
type keyIndexer func(obj any) string

func (k keyIndexer) FromObject(obj any) (bool, []byte, error) { return true, term(k(obj)), nil }
func (k keyIndexer) FromArgs(args ...any) ([]byte, error)     { return term(args[0].(string)), nil }

// PrefixFromArgs serves prefix scans.
func (k keyIndexer) PrefixFromArgs(args ...any) ([]byte, error) { return []byte(args[0].(string)), nil }

// valueIndexer indexes any number of values per row.
type valueIndexer struct{ values func(rec any) []string }

func (v valueIndexer) FromArgs(args ...any) ([]byte, error) { return term(args[0].(string)), nil }

func (v valueIndexer) FromObject(obj any) (bool, [][]byte, error) {
	var out [][]byte
	seen := map[string]bool{}
	for _, val := range v.values(obj.(*row).rec) {
		if val != "" && !seen[val] {
			seen[val] = true
			out = append(out, term(val))
		}
	}
	return len(out) > 0, out, nil
}

// checkKey refuses keys the indexes cannot hold.
func checkKey(table, key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%s: the key is empty", table)
	case len(key) > MaxKey:
		return fmt.Errorf("%s: key of %d bytes (at most %d): %w", table, len(key), MaxKey, ErrTooLarge)
	case strings.ContainsRune(key, 0):
		return fmt.Errorf("%s: the key holds a zero byte", table)
	}
	return nil
}

// checkValues refuses index values that hold a zero byte or are too long.
func (s *schema) checkValues(rec any) error {
	for _, ix := range s.indexes {
		for _, v := range ix.values(rec) {
			if v == "" {
				continue
			}
			if err := checkKey(s.name+"/"+ix.name, v); err != nil {
				return err
			}
		}
	}
	return nil
}
