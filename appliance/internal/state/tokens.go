package state

import (
	"iter"
	"time"

	"slipway/fleet"
)

// Tokens is the table of device and API tokens (hashes only), under their hash.
type Tokens struct{ Table[fleet.Token] }

// Tokens returns the table of tokens.
func (tx *Tx) Tokens() Tokens { return Tokens{Table[fleet.Token]{tx, &tokensKind}} }

// ByID yields the tokens with a public id: one, or none.
func (t Tokens) ByID(id string) iter.Seq[fleet.Token] { return t.by("token", id) }

// ByDevice yields a device's tokens.
func (t Tokens) ByDevice(id string) iter.Seq[fleet.Token] { return t.by("device", id) }

// ByDeployment yields the tokens given out for a deployment.
func (t Tokens) ByDeployment(id string) iter.Seq[fleet.Token] { return t.by("deployment", id) }

var tokensKind = define("tokens",
	func(v fleet.Token) string { return v.Hash },
	func(v fleet.Token) tokenRecord {
		return tokenRecord{Hash: v.Hash, ID: v.ID, Kind: string(v.Kind), Name: v.Name, Role: string(v.Role),
			DeviceID: v.DeviceID, Deployment: v.Deployment, Mechanism: string(v.Mechanism), Actor: v.Actor,
			KeyBinding: v.KeyBinding, Address: v.Address, Environment: v.Environment,
			Passcode: v.Passcode, Scope: scopeRecordOf(v.Scope), Ended: v.Ended,
			CreatedAt: v.CreatedAt.UTC(), ExpiresAt: v.ExpiresAt.UTC()}
	},
	func(r tokenRecord) fleet.Token {
		return fleet.Token{Hash: r.Hash, ID: r.ID, Kind: fleet.TokenKind(r.Kind), Name: r.Name, Role: fleet.Role(r.Role),
			DeviceID: r.DeviceID, Deployment: r.Deployment, Mechanism: fleet.Mechanism(r.Mechanism), Actor: r.Actor,
			KeyBinding: r.KeyBinding, Address: r.Address, Environment: r.Environment,
			Passcode: r.Passcode, Scope: r.Scope.scope(), Ended: r.Ended,
			CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt}
	},
	on("token", func(r *tokenRecord) []string { return one(r.ID) }),
	on("device", func(r *tokenRecord) []string { return one(r.DeviceID) }),
	on("deployment", func(r *tokenRecord) []string { return one(r.Deployment) }))

type tokenRecord struct {
	Hash        string      `json:"hash"`
	ID          string      `json:"id"`
	Kind        string      `json:"kind"`
	Name        string      `json:"name,omitempty"`
	Role        string      `json:"role,omitempty"`
	DeviceID    string      `json:"deviceId,omitempty"`
	Deployment  string      `json:"deployment,omitempty"`
	Mechanism   string      `json:"mechanism,omitempty"`
	Actor       string      `json:"actor,omitempty"`
	KeyBinding  string      `json:"keyBinding,omitempty"`
	Address     string      `json:"address,omitempty"`
	Environment string      `json:"environment,omitempty"`
	Passcode    string      `json:"passcode,omitempty"`
	Scope       scopeRecord `json:"scope,omitzero"`
	Ended       bool        `json:"ended,omitempty"`
	CreatedAt   time.Time   `json:"createdAt,omitzero"`
	ExpiresAt   time.Time   `json:"expiresAt,omitzero"`
}
