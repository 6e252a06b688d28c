package state

import (
	"strings"
	"time"

	"slipway/fleet"
)

// Accounts is the table of console accounts, under their name in lower case.
func (tx *Tx) Accounts() Table[fleet.Account] { return Table[fleet.Account]{tx, &accountsKind} }

var accountsKind = define("accounts",
	func(v fleet.Account) string { return strings.ToLower(v.Name) },
	func(v fleet.Account) accountRecord {
		return accountRecord{Name: v.Name, Role: string(v.Role), Hash: v.Hash,
			CreatedAt: v.CreatedAt.UTC(), CreatedBy: v.CreatedBy, LastSeen: v.LastSeen.UTC(),
			BreakGlass: v.BreakGlass, Issuer: v.Issuer, Subject: v.Subject}
	},
	func(r accountRecord) fleet.Account {
		return fleet.Account{Name: r.Name, Role: fleet.Role(r.Role), Hash: r.Hash,
			CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy, LastSeen: r.LastSeen,
			BreakGlass: r.BreakGlass, Issuer: r.Issuer, Subject: r.Subject}
	})

type accountRecord struct {
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Hash      string    `json:"hash,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	CreatedBy string    `json:"createdBy,omitempty"`
	LastSeen  time.Time `json:"lastSeen,omitzero"`

	BreakGlass bool   `json:"breakGlass,omitempty"`
	Issuer     string `json:"issuer,omitempty"`
	Subject    string `json:"subject,omitempty"`
}
