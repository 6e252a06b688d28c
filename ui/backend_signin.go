package ui

import (
	"context"
	"time"

	"slipway/fleet"
)

// Security is the sign-in of devices, its settings, and what is held back by
// throttling.
type Security interface {
	// Mechanisms are the configured ones; empty means nothing is ever accepted.
	Mechanisms(ctx context.Context) ([]fleet.Mechanism, error)
	// Settings are all settings of sign-in with their values.
	Settings(ctx context.Context) ([]Setting, error)
	// ChangeSignIn changes settings by their names, all or none, effective at once.
	// *FieldError with the name as field; *Confirm for a change that opens the
	// appliance, unless confirm is set; *Refused when it would lock out the
	// administrators.
	ChangeSignIn(ctx context.Context, by Actor, changes map[string]string, confirm bool) error
	// Preview is what a device would be asked now, for each environment.
	Preview(ctx context.Context) ([]fleet.SignInPreview, error)
	// TestSignIn tries a mechanism, or the console's provider (TestConsole), with
	// the settings as they are kept. It may take as long as a provider does.
	TestSignIn(ctx context.Context, by Actor, m fleet.Mechanism) (fleet.SignInTest, error)
	// Warnings are sentences that stand on every page while settings are as they are.
	Warnings(ctx context.Context) ([]string, error)

	// Passcodes are all that are set: the classic shared one first (IsClassic).
	Passcodes(ctx context.Context) ([]fleet.PasscodeStatus, error)
	// PutPasscode sets or rotates one. *FieldError ("passcode", "name", "expiresAt",
	// "maxUses", "scope", "overlap"); with CanForce set, the same call with Force
	// is accepted.
	PutPasscode(ctx context.Context, by Actor, p NewPasscode) error
	// RemovePasscode removes one by its name; empty is the classic one. ErrNotFound.
	RemovePasscode(ctx context.Context, by Actor, name string) error
	// Reminder is the age in days from which on a passcode is due for a change; 0 is
	// never. SetReminder: *FieldError ("reminder").
	Reminder(ctx context.Context) (days int, err error)
	SetReminder(ctx context.Context, by Actor, days int) error
	// GeneratePasscode makes a strong one that people can remember. It is kept nowhere.
	GeneratePasscode() string

	// Held lists the devices held back by a segment or total cap, oldest first.
	Held(ctx context.Context) ([]fleet.Held, error)
	// Release lets the device with that code try again. ErrNotFound.
	Release(ctx context.Context, by Actor, code string) error
}

// TestConsole names the console's provider for TestSignIn.
const TestConsole fleet.Mechanism = "console"

// The kinds of settings.
const (
	KindSwitch = "switch" // "on", "off"
	KindText   = "text"
	KindList   = "list" // comma separated
	KindPEM    = "pem"
	KindSecret = "secret" // can be set, never read
)

// Setting is one setting of sign-in as it stands.
type Setting struct {
	Name  string // "entra.tenant"
	Kind  string
	Value string // "set" for a secret that is set
}

// NewPasscode is a passcode that is being set or rotated.
type NewPasscode struct {
	Name      string // empty: the classic shared one
	Value     string
	Force     bool
	ExpiresAt time.Time // zero: never
	MaxUses   int       // 0: any number
	Scope     fleet.Scope
	Overlap   time.Duration // how long the value before is accepted as well
}

// IsClassic reports whether it is the one shared passcode without a name.
func IsClassic(p fleet.PasscodeStatus) bool { return p.Name == "" || p.Name == "default" }
