package state

import (
	"fmt"
	"iter"
)

// Table is one table within a transaction. What it returns are copies: changing
// them changes nothing in the store. Reading the whole table in an Update makes
// the transaction conflict with every write to that table; reading single records
// or looking up by an index does not.
type Table[T any] struct {
	tx   *Tx
	kind *kind[T]
}

// Get returns the record under key, or an error that wraps ErrNotFound.
func (t Table[T]) Get(key string) (T, error) {
	var none T
	r, err := t.tx.get(t.kind.name, key)
	if err != nil {
		return none, err
	}
	if r == nil {
		return none, fmt.Errorf("%s %q: %w", t.kind.name, key, ErrNotFound)
	}
	return t.kind.domain(r.rec), nil
}

// Has reports whether there is a record under key.
func (t Table[T]) Has(key string) bool {
	r, err := t.tx.get(t.kind.name, key)
	return err == nil && r != nil
}

// Put writes v under the key that v itself carries, whether it exists or not.
// Errors: ErrReadOnly, ErrTooLarge, an empty key.
func (t Table[T]) Put(v T) error {
	data, err := t.kind.encode(v)
	if err != nil {
		return err
	}
	return t.tx.put(&t.kind.schema, t.kind.key(v), data)
}

// Delete removes the record under key. It is no error when there is none.
func (t Table[T]) Delete(key string) error { return t.tx.remove(t.kind.name, key) }

// All yields every record in the order of keys. The table may be changed while
// iterating; the iteration goes on over what was there at its start.
func (t Table[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		rows, err := t.tx.rows(t.kind.name)
		if err == nil {
			t.each(rows, yield)
		}
	}
}

// Len counts the records.
func (t Table[T]) Len() int {
	rows, err := t.tx.rows(t.kind.name)
	if err != nil {
		return 0
	}
	return len(rows)
}

// by yields the records an index holds under value, in the order of keys.
func (t Table[T]) by(index, value string) iter.Seq[T] {
	return func(yield func(T) bool) {
		rows, err := t.tx.find(t.kind.name, index, value)
		if err == nil {
			t.each(rows, yield)
		}
	}
}

func (t Table[T]) each(rows []*row, yield func(T) bool) {
	for _, r := range rows {
		if !yield(t.kind.domain(r.rec)) {
			return
		}
	}
}
