package state

import (
	"bytes"
	"time"

	"slipway/fleet"
)

// Installation holds the one record that makes this appliance itself, under Self.
func (tx *Tx) Installation() Table[fleet.Installation] {
	return Table[fleet.Installation]{tx, &installationKind}
}

var installationKind = define("installation",
	func(fleet.Installation) string { return Self },
	func(v fleet.Installation) installationRecord {
		r := installationRecord{ID: v.ID, CreatedAt: v.CreatedAt.UTC(), SetupCode: v.SetupCode}
		for _, a := range v.Authorities {
			r.Authorities = append(r.Authorities, authorityRecord{a.Certificate, a.SealedKey, a.CreatedAt.UTC()})
		}
		return r
	},
	func(r installationRecord) fleet.Installation {
		v := fleet.Installation{ID: r.ID, CreatedAt: r.CreatedAt, SetupCode: r.SetupCode}
		for _, a := range r.Authorities {
			v.Authorities = append(v.Authorities, fleet.Authority{Certificate: bytes.Clone(a.Certificate),
				SealedKey: bytes.Clone(a.SealedKey), CreatedAt: a.CreatedAt})
		}
		return v
	})

type installationRecord struct {
	ID          string            `json:"id"`
	CreatedAt   time.Time         `json:"createdAt,omitzero"`
	Authorities []authorityRecord `json:"authorities,omitempty"`
	SetupCode   string            `json:"setupCode,omitempty"`
}

type authorityRecord struct {
	Certificate []byte    `json:"certificate"`
	SealedKey   []byte    `json:"sealedKey"`
	CreatedAt   time.Time `json:"createdAt,omitzero"`
}
