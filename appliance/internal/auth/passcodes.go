package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Bounds of passcodes.
const (
	maxNamedPasscodes = 100
	maxPasscodeUses   = 1_000_000
	maxOverlap        = 30 * 24 * time.Hour
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

// PutPasscode sets or rotates a passcode, effective at once. The shared one has no
// limits; a named one may expire, be good for some sign-ins only, and reach only
// some task sequences, devices or networks. No two passcodes have the same value.
// Errors: *InvalidError ("passcode", "name", "expiresAt", "maxUses", "scope",
// "overlap").
func (s *Service) PutPasscode(ctx context.Context, actor Actor, p NewPasscode) error {
	record, value, err := s.newRecord(actor, p)
	if err != nil {
		return err
	}
	var forget bool
	for range 5 { // a passcode that was set meanwhile may bring another salt
		var like phc
		if like, err = s.sharedSalt(record.ID, p.Overlap); err != nil {
			return err
		}
		if record.Hash, err = s.newHashLike(ctx, value, like); err != nil {
			return err
		}
		err = s.store.Update(ctx, func(tx *state.Tx) (err error) {
			forget, err = put(tx, record, p.Overlap, s.now())
			return err
		})
		if !errors.Is(err, errOtherSalt) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("auth: store passcode: %w", err)
	}
	s.passcodesChanged(ctx, forget)
	object := record.ID
	s.done(ctx, actor, "passcode.set", object, setWords(record, p.Overlap))
	return nil
}

// setWords say how a passcode was set, for the audit log.
func setWords(p fleet.Passcode, overlap time.Duration) string {
	var words []string
	if p.Forced {
		words = append(words, fmt.Sprintf("weak and forced, about %.0f bits", p.Bits))
	}
	if overlap > 0 {
		words = append(words, "the one before is accepted for "+overlap.String())
	}
	return strings.Join(words, "; ")
}

// newRecord checks what can be checked without the state. The hash is missing yet.
func (s *Service) newRecord(actor Actor, p NewPasscode) (record fleet.Passcode, value string, err error) {
	value, usable := normalise(p.Value)
	bits := Strength(value)
	now := s.now().UTC()
	bad := func(field, detail string) (fleet.Passcode, string, error) {
		return fleet.Passcode{}, "", &InvalidError{Field: field, Detail: detail}
	}
	id, named := passcodeID, p.Name != ""
	if named {
		if id, err = accountKey(p.Name); err != nil {
			return fleet.Passcode{}, "", err
		}
	}
	scope, err := cleanScope(p.Scope)
	if err != nil {
		return fleet.Passcode{}, "", err
	}
	record = fleet.Passcode{
		ID: id, Bits: bits, Forced: bits < MinPasscodeBits, SetAt: now, SetBy: actor.Name,
		ExpiresAt: p.ExpiresAt.UTC(), MaxUses: p.MaxUses, Scope: scope,
	}
	switch limited := !p.ExpiresAt.IsZero() || p.MaxUses != 0 || !unlimited(scope); {
	case named && id == passcodeID:
		return bad("name", "This is the name of the shared passcode: choose another one.")
	case !named && limited:
		return bad("name", "The shared passcode has no limits: give this one a name.")
	case !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt):
		return bad("expiresAt", "This time is over: choose one to come.")
	case p.MaxUses < 0 || p.MaxUses > maxPasscodeUses:
		return bad("maxUses", fmt.Sprintf("Use 1 to %d, or 0 for any number.", maxPasscodeUses))
	case p.Overlap < 0 || p.Overlap > maxOverlap:
		return bad("overlap", "The value before can be accepted for 30 days at most.")
	case !usable:
		return bad("passcode", fmt.Sprintf("Use 1 to %d bytes of text on one line.", maxSecret))
	case bits < MinPasscodeBits && !p.Force:
		return fleet.Passcode{}, "", &InvalidError{Field: "passcode", CanForce: true, Detail: weakWords(value)}
	}
	return record, value, nil
}

// errOtherSalt says that a passcode was set meanwhile that shares no salt.
var errOtherSalt = errors.New("a passcode of another salt was set meanwhile")

// sharedSalt is what the hash of a passcode is made like: those that stay beside it,
// or with a new salt and the present costs when none does.
func (s *Service) sharedSalt(id string, overlap time.Duration) (phc, error) {
	kept, err := s.keptPasscodes()
	if err != nil {
		return phc{}, err
	}
	for _, p := range kept {
		if h, err := parsePHC(p.Hash); err == nil && (p.base() != id || overlap > 0) {
			return h, nil
		}
	}
	return s.hasher.fresh(), nil
}

// put stores a passcode, and keeps what it replaces for the overlap. forget says
// that nothing is accepted any more that was before.
func put(tx *state.Tx, p fleet.Passcode, overlap time.Duration, now time.Time) (forget bool, err error) {
	hash, err := parsePHC(p.Hash)
	if err != nil {
		return false, err
	}
	named := 0
	forget = true
	for _, o := range passcodesIn(tx) {
		own := o.base() == p.ID
		if own && overlap == 0 {
			continue
		}
		forget = forget && !o.live(now)
		other, err := parsePHC(o.Hash)
		switch {
		case err != nil:
			continue // damaged: it matches nothing
		case !other.sharesSalt(hash):
			return false, errOtherSalt
		case !own && subtle.ConstantTimeCompare(other.key, hash.key) == 1:
			return false, &InvalidError{Field: "passcode", Detail: fmt.Sprintf("The passcode %q has this value, or had it until it ran out: choose another one.", o.base())}
		}
		if !own && o.base() == o.ID && o.ID != passcodeID {
			named++
		}
	}
	if named >= maxNamedPasscodes {
		return false, &InvalidError{Field: "name", Detail: fmt.Sprintf("There are %d passcodes already: remove one first.", named)}
	}
	if err := knownScope(tx, p.Scope); err != nil {
		return false, err
	}
	if err := keepPrevious(tx, p, overlap, now); err != nil {
		return false, err
	}
	return forget, tx.Passcodes().Put(p)
}

// keepPrevious keeps the passcode that is being replaced, with the rest of its own
// limits. One of the same value replaces nothing.
func keepPrevious(tx *state.Tx, p fleet.Passcode, overlap time.Duration, now time.Time) error {
	old, err := tx.Passcodes().Get(p.ID)
	switch {
	case err != nil && !errors.Is(err, state.ErrNotFound):
		return err
	case overlap > 0 && err == nil && old.Hash == p.Hash:
		return nil
	case overlap == 0 || err != nil || !(keptPasscode{old}).live(now):
		return tx.Passcodes().Delete(p.ID + previousSuffix)
	}
	old.ID += previousSuffix
	if end := now.Add(overlap).UTC(); old.ExpiresAt.IsZero() || end.Before(old.ExpiresAt) {
		old.ExpiresAt = end
	}
	return tx.Passcodes().Put(old)
}

// RemovePasscode removes one by its name (empty: the classic one) with what it
// replaced. ErrNotFound.
func (s *Service) RemovePasscode(ctx context.Context, actor Actor, name string) error {
	id := strings.ToLower(strings.TrimSpace(name))
	if id == "" {
		id = passcodeID
	}
	found, err := s.removePasscode(ctx, id)
	if err != nil {
		return fmt.Errorf("auth: remove passcode: %w", err)
	}
	if !found {
		return ErrNotFound
	}
	s.done(ctx, actor, "passcode.removed", id, "")
	return nil
}

// removePasscode deletes one and what it replaced.
func (s *Service) removePasscode(ctx context.Context, id string) (found bool, err error) {
	var forget bool
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		found, forget = false, true
		for _, p := range passcodesIn(tx) {
			if p.base() != id {
				forget = forget && !p.live(s.now())
				continue
			}
			found = found || p.ID == id
			if err := tx.Passcodes().Delete(p.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.passcodesChanged(ctx, forget)
	}
	return found, err
}

// passcodesChanged forgets what was counted against passcodes of which none is
// left. While one is, its guesses go on to count.
func (s *Service) passcodesChanged(_ context.Context, forget bool) {
	if forget {
		s.throttle.forgetPasscode()
	}
	s.tellHeld()
}
