package ui

import (
	"context"
	"time"

	"slipway/fleet"
)

// Accounts is the people of the console.
type Accounts interface {
	// List returns them without hashes. Order does not matter.
	List(ctx context.Context) ([]fleet.Account, error)
	// Add makes a local account. *FieldError ("name", "password", "role"), *Refused.
	Add(ctx context.Context, by Actor, name, password string, role fleet.Role) error
	// SetRole, SetPassword, SetBreakGlass and Remove are effective at once.
	// ErrNotFound; *Refused when it would lock out the administrators; *FieldError
	// ("role", "password", "breakGlass").
	SetRole(ctx context.Context, by Actor, name string, role fleet.Role) error
	SetPassword(ctx context.Context, by Actor, name, password string) error
	SetBreakGlass(ctx context.Context, by Actor, name string, on bool) error
	Remove(ctx context.Context, by Actor, name string) error
}

// Tokens is what scripts and signed-in devices carry.
type Tokens interface {
	// Scripts lists the API tokens, Devices the tokens of signed-in devices; both
	// without hashes, in any order.
	Scripts(ctx context.Context) ([]fleet.Token, error)
	Devices(ctx context.Context) ([]fleet.Token, error)
	// Add makes an API token; its value is told this once. *FieldError ("name",
	// "role", "ttl"), *Refused when the name is taken.
	Add(ctx context.Context, by Actor, name string, role fleet.Role, life time.Duration) (value string, t fleet.Token, err error)
	// RevokeScript and RevokeDevice end a token of their kind at once. ErrNotFound.
	RevokeScript(ctx context.Context, by Actor, id string) error
	RevokeDevice(ctx context.Context, by Actor, id string) error
}
