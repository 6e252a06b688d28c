package state

import (
	"bytes"
	"time"
)

// DataKey is a data key of the installation, wrapped by the key file, which stands
// outside the state. Package secrets makes and opens it.
type DataKey struct {
	ID        string // four bytes in hex, as sealed values name it
	Wrapped   []byte
	Active    bool // new values are sealed with this one
	CreatedAt time.Time
}

// Keys is the table of wrapped data keys, under their id.
func (tx *Tx) Keys() Table[DataKey] { return Table[DataKey]{tx, &keysKind} }

var keysKind = define("keys",
	func(v DataKey) string { return v.ID },
	func(v DataKey) keyRecord {
		return keyRecord{ID: v.ID, Wrapped: v.Wrapped, Active: v.Active, CreatedAt: v.CreatedAt.UTC()}
	},
	func(r keyRecord) DataKey {
		return DataKey{ID: r.ID, Wrapped: bytes.Clone(r.Wrapped), Active: r.Active, CreatedAt: r.CreatedAt}
	})

type keyRecord struct {
	ID        string    `json:"id"`
	Wrapped   []byte    `json:"wrapped"`
	Active    bool      `json:"active,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
}
