package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// passcodeID is the key of the one shared passcode.
const passcodeID = "default"

// passcode is what is set; false when nothing is.
func (s *Service) passcode() (p fleet.Passcode, set bool, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		p, err = tx.Passcodes().Get(passcodeID)
		return err
	})
	if errors.Is(err, state.ErrNotFound) {
		return fleet.Passcode{}, false, nil
	}
	if err != nil {
		return fleet.Passcode{}, false, fmt.Errorf("auth: read passcode: %w", err)
	}
	return p, true, nil
}

// SetPasscode sets or rotates the passcode, effective at once. A value that can
// be no passcode, or one weaker than MinPasscodeBits unless force is set, is an
// *InvalidError. Deployments under way keep their tokens.
func (s *Service) SetPasscode(ctx context.Context, actor Actor, value string, force bool) error {
	value, usable := normalise(value)
	if !usable {
		return &InvalidError{Field: "passcode", Detail: fmt.Sprintf("Use 1 to %d bytes of text on one line.", maxSecret)}
	}
	bits := Strength(value)
	if bits < MinPasscodeBits && !force {
		return &InvalidError{
			Field: "passcode", CanForce: true,
			Detail: "This passcode is easy to guess. Use a longer one, e.g. three words that do not belong together.",
		}
	}
	hash, err := s.newHash(ctx, value)
	if err != nil {
		return err
	}
	p := fleet.Passcode{ID: passcodeID, Hash: hash, Bits: bits, SetAt: s.now().UTC(), SetBy: actor.Name}
	if err := s.store.Update(ctx, func(tx *state.Tx) error { return tx.Passcodes().Put(p) }); err != nil {
		return fmt.Errorf("auth: store passcode: %w", err)
	}
	s.passcodeChanged(ctx, actor, "passcode.set")
	return nil
}

// ClearPasscode removes the passcode: from now on nothing is accepted.
func (s *Service) ClearPasscode(ctx context.Context, actor Actor) error {
	if err := s.store.Update(ctx, func(tx *state.Tx) error { return tx.Passcodes().Delete(passcodeID) }); err != nil {
		return fmt.Errorf("auth: clear passcode: %w", err)
	}
	s.passcodeChanged(ctx, actor, "passcode.cleared")
	return nil
}

func (s *Service) passcodeChanged(ctx context.Context, actor Actor, action string) {
	s.throttle.forgetPasscode()
	s.done(ctx, actor, action, "", "")
	s.tellHeld()
}

// PasscodeStatus is what may be shown of the passcode.
func (s *Service) PasscodeStatus(context.Context) (fleet.PasscodeStatus, error) {
	p, set, err := s.passcode()
	if err != nil || !set {
		return fleet.PasscodeStatus{}, err
	}
	var settings fleet.Settings
	err = s.store.View(func(tx *state.Tx) error {
		settings, err = tx.Settings().Get("self")
		return err
	})
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return fleet.PasscodeStatus{}, fmt.Errorf("auth: read settings: %w", err)
	}
	age := s.now().Sub(p.SetAt)
	limit := time.Duration(settings.PasscodeMaxAgeDays) * 24 * time.Hour
	return fleet.PasscodeStatus{
		Set: true, SetAt: p.SetAt, SetBy: p.SetBy, Bits: p.Bits, Age: ageWords(age), Old: limit > 0 && age > limit,
	}, nil
}

// ageWords tells an age in the largest unit that fits.
func ageWords(age time.Duration) string {
	count := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch days := int(age.Hours() / 24); {
	case age < time.Minute:
		return "less than a minute"
	case age < time.Hour:
		return count(int(age.Minutes()), "minute")
	case days < 1:
		return count(int(age.Hours()), "hour")
	default:
		return count(days, "day")
	}
}
