package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// defaultSignIn holds until an administrator changes it.
func defaultSignIn() fleet.SignIn { return fleet.SignIn{PasscodeInFullOS: true} }

// signIn reads the settings within a transaction.
func signIn(tx *state.Tx) (fleet.SignIn, error) {
	v, err := tx.SignIn().Get(state.Self)
	if errors.Is(err, state.ErrNotFound) {
		return defaultSignIn(), nil
	}
	return v, err
}

// SignInSettings are the settings in force.
func (s *Service) SignInSettings(context.Context) (v fleet.SignIn, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		v, err = signIn(tx)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("auth: read sign-in settings: %w", err)
	}
	return v, nil
}

// ConfirmError says that a change needs to be confirmed, and what it means.
type ConfirmError struct {
	Field string
	Text  string
}

func (e *ConfirmError) Error() string { return e.Text }

// ChangeSignIn changes settings by their keys, all or none, effective at once.
// Errors: *InvalidError with the key as field; *ConfirmError for a change that
// opens the appliance, unless confirm is set; ErrLockout with what to do first.
func (s *Service) ChangeSignIn(ctx context.Context, actor Actor, changes map[string]string, confirm bool) error {
	list, err := s.parseChanges(changes)
	if err != nil {
		return err
	}
	var notes []fleet.AuditEntry
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		old, err := signIn(tx)
		if err != nil {
			return err
		}
		v := clone(old)
		notes = notes[:0]
		for _, c := range list {
			before := c.key.show(v)
			if err := c.key.set(&v, c.value); err != nil {
				return &InvalidError{Field: c.key.Name, Detail: err.Error()}
			}
			if after := c.key.show(v); after != before || c.key.Kind == KindSecret {
				notes = append(notes, c.note(before, after))
			}
		}
		if err := validate(v); err != nil {
			return err
		}
		if err := opens(old, v, confirm); err != nil {
			return err
		}
		if err := keepsAdministrators(tx, v); err != nil {
			return err
		}
		if len(notes) == 0 {
			return nil
		}
		return tx.SignIn().Put(v)
	})
	if err != nil {
		return fmt.Errorf("auth: change sign-in settings: %w", err)
	}
	for _, e := range notes {
		e.Actor, e.Address, e.Action, e.Outcome = actor.Name, actor.Address, "signin.changed", "ok"
		s.note(ctx, e)
	}
	return nil
}

// change is one setting on its way in. value is sealed for a secret.
type change struct {
	key   signInKey
	value string
}

// parseChanges finds the keys in their order and seals secrets.
func (s *Service) parseChanges(changes map[string]string) ([]change, error) {
	var list []change
	byName := map[string]string{}
	for name, value := range changes {
		byName[plainKey(name)] = value
	}
	for _, k := range signInKeys() {
		value, ok := byName[plainKey(k.Name)]
		if !ok {
			continue
		}
		delete(byName, plainKey(k.Name))
		if len(value) > maxSetting {
			return nil, &InvalidError{Field: k.Name, Detail: fmt.Sprintf("This is longer than %d KiB.", maxSetting>>10)}
		}
		value = strings.TrimSpace(value)
		if k.Kind == KindSecret && value != "" {
			sealed, err := s.sealer.Seal([]byte(value), k.purpose)
			if err != nil {
				return nil, fmt.Errorf("auth: seal %s: %w", k.Name, err)
			}
			value = string(sealed)
		}
		list = append(list, change{k, value})
	}
	for name := range changes {
		if _, unknown := byName[plainKey(name)]; unknown {
			return nil, &InvalidError{Field: name, Detail: "There is no such setting. Those there are: " + strings.Join(keyNames(), ", ") + "."}
		}
	}
	return list, nil
}

// plainKey makes spellings alike: entra.clientId, entra.client_id, ENTRA.CLIENT-ID;
// and entra.enabled is entra.
func plainKey(name string) string {
	name = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	return strings.TrimSuffix(name, ".enabled")
}

// note is the audit entry of a change. Long texts and secrets are not repeated.
func (c change) note(before, after string) fleet.AuditEntry {
	e := fleet.AuditEntry{Object: c.key.Name, Reason: fmt.Sprintf("%s, was %s", orNone(after), orNone(before))}
	if c.key.Kind == KindSecret || c.key.Kind == KindPEM {
		e.Reason = "changed"
		if after == "" {
			e.Reason = "removed"
		}
	}
	return e
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func clone(v fleet.SignIn) fleet.SignIn {
	v.Certificate.Rules = slices.Clone(v.Certificate.Rules)
	v.Entra.Roles = slices.Clone(v.Entra.Roles)
	v.Console.Viewers, v.Console.Technicians = slices.Clone(v.Console.Viewers), slices.Clone(v.Console.Technicians)
	v.Console.Administrators = slices.Clone(v.Console.Administrators)
	return v
}

// opens asks for a confirmation of what lets more people in than before.
func opens(old, v fleet.SignIn, confirm bool) error {
	switch {
	case confirm:
		return nil
	case v.Anonymous && !old.Anonymous:
		return &ConfirmError{Field: "anonymous", Text: "With anonymous sign-in nobody is asked: whoever can reach this network, " +
			"or walks up to a machine on it, can run every task sequence and erase every disk. It is meant for labs."}
	case v.Entra.Enabled && slices.Contains(v.Entra.Roles, anyRole) && !(old.Entra.Enabled && slices.Contains(old.Entra.Roles, anyRole)):
		return &ConfirmError{Field: "entra.roles", Text: "With * everybody whom the provider lets in may deploy, not only people with a role."}
	}
	return nil
}

// keepsAdministrators refuses settings under which no administrator is sure to get
// in: without local passwords there must be a provider that makes administrators,
// and a break-glass account for the day when it is down.
func keepsAdministrators(tx *state.Tx, v fleet.SignIn) error {
	c := v.Console
	if !c.LocalOff {
		return nil
	}
	if !c.Enabled || len(c.Administrators) == 0 {
		return fmt.Errorf("%w: while local passwords are off, the console's provider must be on and console.administrators must name a role. Set console.local=on first", ErrLockout)
	}
	for a := range tx.Accounts().All() {
		if a.BreakGlass && a.Role == fleet.RoleAdministrator && a.Hash != "" {
			return nil
		}
	}
	return fmt.Errorf("%w: mark a local administrator as break-glass first, for the day when the provider is down", ErrLockout)
}

// Warnings are sentences that stand on every page of the console while the
// settings are as they are: anyone may deploy, nobody can sign in, and the like.
func (s *Service) Warnings(context.Context) (out []string, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		v, err := signIn(tx)
		if err != nil {
			return err
		}
		set := passcodeSet(tx, s.now())
		if v.Anonymous {
			out = append(out, "Anonymous sign-in is on: anyone on the network can run every task sequence, without being asked.")
		}
		if !v.Anonymous && !v.Certificate.Enabled && !v.Entra.Enabled && !set {
			out = append(out, "No sign-in mechanism is configured: devices ask for a passcode, and nothing is accepted until one is set.")
		}
		if v.Entra.Enabled && v.PasscodeInFullOS && set {
			out = append(out, "Installed systems may use the passcode beside Entra ID, and that a system is an installed one is only what it says of itself: "+
				"whoever knows the passcode can use it. Switch it off with passcode.fullos=off.")
		}
		for p := range tx.Passcodes().All() {
			if p.Forced && (p.ExpiresAt.IsZero() || s.now().Before(p.ExpiresAt)) {
				out = append(out, fmt.Sprintf("The passcode %q is easy to guess, and was set all the same.", p.ID))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("auth: read sign-in settings: %w", err)
	}
	return out, nil
}
