package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/appliance/internal/settings"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const (
	// passcodeID is the key of the one shared passcode.
	passcodeID = "default"
	// previousSuffix stands behind the id of a passcode that was replaced.
	previousSuffix = "/previous"
	// expiredPasscodeKept is how long a passcode that ran out is still shown, and
	// told from a wrong one in the audit log.
	expiredPasscodeKept = 30 * 24 * time.Hour
)

// keptPasscode is a passcode as kept, with what it means now.
type keptPasscode struct{ fleet.Passcode }

func (p keptPasscode) usedUp() bool { return p.MaxUses > 0 && p.Uses >= p.MaxUses }

func (p keptPasscode) expired(now time.Time) bool {
	return !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt)
}

// live reports whether it is accepted, its scope aside.
func (p keptPasscode) live(now time.Time) bool {
	return p.Hash != "" && !p.usedUp() && !p.expired(now)
}

// base is the id without what marks a replaced one.
func (p keptPasscode) base() string { return strings.TrimSuffix(p.ID, previousSuffix) }

// words name it in the audit log.
func (p keptPasscode) words() string {
	if p.base() != p.ID {
		return "passcode " + p.base() + ", the one before"
	}
	return "passcode " + p.ID
}

// keptPasscodes are all there are: replaced, expired and used up ones included.
func (s *Service) keptPasscodes() (kept []keptPasscode, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		kept = passcodesIn(tx)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("auth: read passcodes: %w", err)
	}
	return kept, nil
}

func passcodesIn(tx *state.Tx) (kept []keptPasscode) {
	for p := range tx.Passcodes().All() {
		kept = append(kept, keptPasscode{p})
	}
	return kept
}

func hashesOf(kept []keptPasscode) []string {
	hashes := make([]string, len(kept))
	for i, p := range kept {
		hashes[i] = p.Hash
	}
	return hashes
}

// weakest is the least strength of those that are accepted now, in bits; zero when
// none is.
func weakest(kept []keptPasscode, now time.Time) (bits float64) {
	for _, p := range kept {
		if p.live(now) && (bits == 0 || p.Bits < bits) {
			bits = max(p.Bits, 1) // a record without an estimate is no strong one
		}
	}
	return bits
}

// SetPasscode sets or rotates the shared passcode, effective at once. A value that
// can be no passcode, or one weaker than MinPasscodeBits unless force is set, is an
// *InvalidError. Deployments under way keep their tokens.
func (s *Service) SetPasscode(ctx context.Context, actor Actor, value string, force bool) error {
	return s.PutPasscode(ctx, actor, NewPasscode{Value: value, Force: force})
}

// ClearPasscode removes the shared passcode and the one it replaced: from now on
// neither is accepted. It is no error when there is none.
func (s *Service) ClearPasscode(ctx context.Context, actor Actor) error {
	if _, err := s.removePasscode(ctx, passcodeID); err != nil {
		return fmt.Errorf("auth: clear passcode: %w", err)
	}
	s.done(ctx, actor, "passcode.cleared", "", "")
	s.tellHeld()
	return nil
}

// PasscodeStatus is what may be shown of the shared passcode.
func (s *Service) PasscodeStatus(ctx context.Context) (fleet.PasscodeStatus, error) {
	list, err := s.Passcodes(ctx)
	if err != nil || len(list) == 0 || list[0].Name != "" {
		return fleet.PasscodeStatus{}, err
	}
	return list[0], nil
}

// Passcodes lists all that are set: the shared one first, whose name is empty, then
// by name. Those that ran out stay in the list for 30 days.
func (s *Service) Passcodes(context.Context) (list []fleet.PasscodeStatus, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		list = []fleet.PasscodeStatus{}
		current, err := tx.Settings().Get(state.Self)
		switch {
		case errors.Is(err, state.ErrNotFound):
			current = settings.Default()
		case err != nil:
			return err
		}
		kept, now := passcodesIn(tx), s.now()
		for _, p := range kept {
			if p.base() == p.ID {
				list = append(list, p.status(kept, current, now))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("auth: read passcodes: %w", err)
	}
	slices.SortFunc(list, func(a, b fleet.PasscodeStatus) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// status is what may be shown of it; kept are all passcodes.
func (p keptPasscode) status(kept []keptPasscode, settings fleet.Settings, now time.Time) fleet.PasscodeStatus {
	age := now.Sub(p.SetAt)
	limit := time.Duration(settings.PasscodeMaxAgeDays) * 24 * time.Hour
	out := fleet.PasscodeStatus{
		Name: p.ID, Set: true, SetAt: p.SetAt, SetBy: p.SetBy, Bits: p.Bits, Forced: p.Forced,
		Age: ageWords(age), Old: limit > 0 && age > limit && p.live(now),
		ExpiresAt: p.ExpiresAt, Expired: p.expired(now) && !p.usedUp(), MaxUses: p.MaxUses, Uses: p.Uses, Scope: p.Scope,
	}
	if p.ID == passcodeID {
		out.Name = ""
	}
	for _, o := range kept {
		if o.ID == p.ID+previousSuffix && o.live(now) {
			out.Previous = o.ExpiresAt
		}
	}
	return out
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

// prunePasscodes forgets those that ran out some time ago.
func (s *Service) prunePasscodes(ctx context.Context) error {
	limit := s.now().Add(-expiredPasscodeKept)
	return s.pruneExpired(ctx, func(tx *state.Tx) (old []func() error) {
		for p := range tx.Passcodes().All() {
			if !p.ExpiresAt.IsZero() && p.ExpiresAt.Before(limit) {
				old = append(old, func() error { return tx.Passcodes().Delete(p.ID) })
			}
		}
		return old
	})
}
