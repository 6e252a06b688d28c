package state

import (
	"time"

	"slipway/fleet"
)

// Passcodes is the table of shared passcodes (hashes only), under their id.
func (tx *Tx) Passcodes() Table[fleet.Passcode] { return Table[fleet.Passcode]{tx, &passcodesKind} }

var passcodesKind = define("passcodes",
	func(v fleet.Passcode) string { return v.ID },
	func(v fleet.Passcode) passcodeRecord {
		return passcodeRecord{ID: v.ID, Hash: v.Hash, Bits: v.Bits, SetAt: v.SetAt.UTC(), SetBy: v.SetBy}
	},
	func(r passcodeRecord) fleet.Passcode {
		return fleet.Passcode{ID: r.ID, Hash: r.Hash, Bits: r.Bits, SetAt: r.SetAt, SetBy: r.SetBy}
	})

type passcodeRecord struct {
	ID    string    `json:"id"`
	Hash  string    `json:"hash"`
	Bits  float64   `json:"bits,omitempty"`
	SetAt time.Time `json:"setAt,omitzero"`
	SetBy string    `json:"setBy,omitempty"`
}
