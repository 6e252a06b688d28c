package state

import (
	"iter"
	"strings"
	"time"

	"slipway/fleet"
)

// Sessions is the table of signed-in browsers, under the hash of their cookie.
type Sessions struct{ Table[fleet.Session] }

// Sessions returns the table of sessions.
func (tx *Tx) Sessions() Sessions { return Sessions{Table[fleet.Session]{tx, &sessionsKind}} }

// ByAccount yields an account's sessions, whatever the letter case of its name.
func (t Sessions) ByAccount(name string) iter.Seq[fleet.Session] {
	return t.by("account", strings.ToLower(name))
}

var sessionsKind = define("sessions",
	func(v fleet.Session) string { return v.Hash },
	func(v fleet.Session) sessionRecord {
		return sessionRecord{Hash: v.Hash, Account: v.Account, CSRF: v.CSRF, Address: v.Address,
			CreatedAt: v.CreatedAt.UTC(), ExpiresAt: v.ExpiresAt.UTC()}
	},
	func(r sessionRecord) fleet.Session {
		return fleet.Session{Hash: r.Hash, Account: r.Account, CSRF: r.CSRF, Address: r.Address,
			CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt}
	},
	on("account", func(r *sessionRecord) []string { return one(strings.ToLower(r.Account)) }))

type sessionRecord struct {
	Hash      string    `json:"hash"`
	Account   string    `json:"account"`
	CSRF      string    `json:"csrf,omitempty"`
	Address   string    `json:"address,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}
