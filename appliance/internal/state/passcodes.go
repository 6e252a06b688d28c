package state

import (
	"slices"
	"time"

	"slipway/fleet"
)

// Passcodes is the table of passcodes (hashes only), under their id.
func (tx *Tx) Passcodes() Table[fleet.Passcode] { return Table[fleet.Passcode]{tx, &passcodesKind} }

var passcodesKind = define("passcodes",
	func(v fleet.Passcode) string { return v.ID },
	func(v fleet.Passcode) passcodeRecord {
		return passcodeRecord{ID: v.ID, Hash: v.Hash, Bits: v.Bits, Forced: v.Forced, SetAt: v.SetAt.UTC(), SetBy: v.SetBy,
			ExpiresAt: v.ExpiresAt.UTC(), MaxUses: v.MaxUses, Uses: v.Uses, Scope: scopeRecordOf(v.Scope)}
	},
	func(r passcodeRecord) fleet.Passcode {
		return fleet.Passcode{ID: r.ID, Hash: r.Hash, Bits: r.Bits, Forced: r.Forced, SetAt: r.SetAt, SetBy: r.SetBy,
			ExpiresAt: r.ExpiresAt, MaxUses: r.MaxUses, Uses: r.Uses, Scope: r.Scope.scope()}
	})

type passcodeRecord struct {
	ID        string      `json:"id"`
	Hash      string      `json:"hash"`
	Bits      float64     `json:"bits,omitempty"`
	Forced    bool        `json:"forced,omitempty"`
	SetAt     time.Time   `json:"setAt,omitzero"`
	SetBy     string      `json:"setBy,omitempty"`
	ExpiresAt time.Time   `json:"expiresAt,omitzero"`
	MaxUses   int         `json:"maxUses,omitempty"`
	Uses      int         `json:"uses,omitempty"`
	Scope     scopeRecord `json:"scope,omitzero"`
}

// scopeRecord is part of the records of passcodes and tokens.
type scopeRecord struct {
	Sequences []string `json:"sequences,omitempty"`
	Devices   []string `json:"devices,omitempty"`
	Networks  []string `json:"networks,omitempty"`
}

func scopeRecordOf(s fleet.Scope) scopeRecord { return scopeRecord(s) }

// IsZero makes omitzero leave it out.
func (r scopeRecord) IsZero() bool {
	return len(r.Sequences) == 0 && len(r.Devices) == 0 && len(r.Networks) == 0
}

func (r scopeRecord) scope() fleet.Scope {
	return fleet.Scope{Sequences: slices.Clone(r.Sequences), Devices: slices.Clone(r.Devices), Networks: slices.Clone(r.Networks)}
}
