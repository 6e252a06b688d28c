package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const (
	minPasswordChars = 10
	maxAccounts      = 500
)

var errRole error = &InvalidError{Field: "role", Detail: "Use viewer, technician or administrator."}

// accountKey checks a name and brings it into the form it is kept under.
func accountKey(name string) (string, error) {
	key := strings.ToLower(strings.TrimSpace(name))
	bad := strings.IndexFunc(key, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._@-", r))
	})
	if key == "" || len(key) > 64 || bad >= 0 {
		return "", &InvalidError{Field: "name", Detail: "Use 1 to 64 letters a to z, digits, and . _ @ -"}
	}
	return key, nil
}

// checkPassword says whether a password may be set, and returns what is hashed.
func checkPassword(name, password string) (string, error) {
	password, usable := normalise(password)
	switch {
	case !usable:
		return "", &InvalidError{Field: "password", Detail: fmt.Sprintf("Use text on one line, at most %d bytes.", maxSecret)}
	case utf8.RuneCountInString(password) < minPasswordChars:
		return "", &InvalidError{Field: "password", Detail: fmt.Sprintf("Use at least %d characters.", minPasswordChars)}
	case Strength(withoutName(name, password)) < MinPasswordBits:
		return "", &InvalidError{Field: "password", Detail: "This password is easy to guess. Use a longer one, e.g. four words that do not belong together."}
	}
	return password, nil
}

// withoutName leaves the account's own name out of the password's strength.
func withoutName(name, password string) string {
	if len(name) < 3 {
		return password
	}
	return strings.ReplaceAll(strings.ToLower(password), name, "")
}

// newAccount checks and hashes.
func (s *Service) newAccount(ctx context.Context, by, name, password string, role fleet.Role) (fleet.Account, error) {
	key, err := accountKey(name)
	if err != nil {
		return fleet.Account{}, err
	}
	if !role.Includes(fleet.RoleViewer) {
		return fleet.Account{}, errRole
	}
	if password, err = checkPassword(key, password); err != nil {
		return fleet.Account{}, err
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return fleet.Account{}, err
	}
	return fleet.Account{Name: key, Role: role, Hash: hash, CreatedAt: s.now().UTC(), CreatedBy: by}, nil
}

// AddAccount makes an account. The first one ends the time of the setup code.
// Errors: *InvalidError ("name", "password", "role"), ErrExists.
func (s *Service) AddAccount(ctx context.Context, actor Actor, name, password string, role fleet.Role) error {
	a, err := s.newAccount(ctx, actor.Name, name, password, role)
	if err != nil {
		return err
	}
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		switch n := tx.Accounts().Len(); {
		case tx.Accounts().Has(a.Name):
			return ErrExists
		case n >= maxAccounts:
			return &InvalidError{Field: "name", Detail: fmt.Sprintf("There are %d accounts already: remove one first.", n)}
		}
		if err := endSetup(tx); err != nil {
			return err
		}
		return tx.Accounts().Put(a)
	})
	if err != nil {
		return fmt.Errorf("auth: add account: %w", err)
	}
	s.done(ctx, actor, "account.added", a.Name, "role "+string(role))
	return nil
}

// RemoveAccount removes an account and signs it out. Errors: ErrNotFound,
// ErrLastAdministrator, ErrLockout.
func (s *Service) RemoveAccount(ctx context.Context, actor Actor, name string) error {
	var key string
	err := s.changeAccount(ctx, actor, name, "account.removed", "", func(tx *state.Tx, a fleet.Account) error {
		key = a.Name
		if err := errors.Join(keepAdministrator(tx, a), keepBreakGlass(tx, a)); err != nil {
			return err
		}
		if err := signOutAll(tx, a.Name); err != nil {
			return err
		}
		return tx.Accounts().Delete(a.Name)
	})
	if err == nil {
		s.onGone(key)
	}
	return err
}

// SetRole changes what an account may do, effective at once. Errors: ErrNotFound,
// ErrLastAdministrator, ErrLockout, *InvalidError.
func (s *Service) SetRole(ctx context.Context, actor Actor, name string, role fleet.Role) error {
	if !role.Includes(fleet.RoleViewer) {
		return errRole
	}
	return s.changeAccount(ctx, actor, name, "account.role", "role "+string(role), func(tx *state.Tx, a fleet.Account) error {
		if role != fleet.RoleAdministrator {
			if err := errors.Join(keepAdministrator(tx, a), keepBreakGlass(tx, a)); err != nil {
				return err
			}
		}
		a.Role = role
		return tx.Accounts().Put(a)
	})
}

// SetPassword changes a password and signs the account out everywhere. The people
// of a provider have none. Errors: ErrNotFound, *InvalidError.
func (s *Service) SetPassword(ctx context.Context, actor Actor, name, password string) error {
	key, err := accountKey(name)
	if err != nil {
		return err
	}
	if password, err = checkPassword(key, password); err != nil {
		return err
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return err
	}
	return s.changeAccount(ctx, actor, key, "account.password", "", func(tx *state.Tx, a fleet.Account) error {
		if a.Issuer != "" {
			return &InvalidError{Field: "password", Detail: "This person signs in with " + a.Issuer + " and has no password here."}
		}
		a.Hash = hash
		if err := signOutAll(tx, key); err != nil {
			return err
		}
		return tx.Accounts().Put(a)
	})
}

// SetBreakGlass says whether a local account may use its password while local
// passwords are off. Errors: ErrNotFound, *InvalidError ("breakGlass"), ErrLockout.
func (s *Service) SetBreakGlass(ctx context.Context, actor Actor, name string, on bool) error {
	reason := "off"
	if on {
		reason = "on"
	}
	return s.changeAccount(ctx, actor, name, "account.break-glass", reason, func(tx *state.Tx, a fleet.Account) error {
		if on && a.Hash == "" {
			return &InvalidError{Field: "breakGlass", Detail: "Only a local account with a password can be the way in when the provider is down."}
		}
		if !on {
			if err := keepBreakGlass(tx, a); err != nil {
				return err
			}
		}
		a.BreakGlass = on
		return tx.Accounts().Put(a)
	})
}

// keepBreakGlass refuses when a is the only break-glass administrator while local
// passwords are off.
func keepBreakGlass(tx *state.Tx, a fleet.Account) error {
	if !a.BreakGlass || a.Role != fleet.RoleAdministrator {
		return nil
	}
	v, err := signIn(tx)
	if err != nil || !v.Console.LocalOff {
		return err
	}
	for o := range tx.Accounts().All() {
		if o.Name != a.Name && o.BreakGlass && o.Role == fleet.RoleAdministrator && o.Hash != "" {
			return nil
		}
	}
	return fmt.Errorf("%w: this is the last break-glass administrator while local passwords are off. Mark another one, or switch local passwords on, first", ErrLockout)
}

// changeAccount runs change on an account that exists, and notes it.
func (s *Service) changeAccount(ctx context.Context, actor Actor, name, action, reason string, change func(*state.Tx, fleet.Account) error) error {
	key, err := accountKey(name)
	if err != nil {
		return ErrNotFound
	}
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		a, err := tx.Accounts().Get(key)
		if errors.Is(err, state.ErrNotFound) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return change(tx, a)
	})
	if err != nil {
		return fmt.Errorf("auth: %s: %w", action, err)
	}
	s.done(ctx, actor, action, key, reason)
	return nil
}

// keepAdministrator refuses when a is the only administrator.
func keepAdministrator(tx *state.Tx, a fleet.Account) error {
	if a.Role != fleet.RoleAdministrator || a.Hash == "" {
		return nil
	}
	for o := range tx.Accounts().All() {
		// A person of a provider is one only while the provider says so.
		if o.Name != a.Name && o.Role == fleet.RoleAdministrator && o.Hash != "" {
			return nil
		}
	}
	return ErrLastAdministrator
}

// ListAccounts lists the accounts by name, without their hashes.
func (s *Service) ListAccounts(context.Context) ([]fleet.Account, error) {
	out := []fleet.Account{}
	err := s.store.View(func(tx *state.Tx) error {
		for a := range tx.Accounts().All() {
			a.Hash = ""
			out = append(out, a)
		}
		return nil
	})
	return out, err
}
