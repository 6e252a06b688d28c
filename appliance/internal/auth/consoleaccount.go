package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"slipway/appliance/internal/oidc"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// collisionError says that a person's name is somebody else's here.
type collisionError struct{ reason string }

func (e *collisionError) Error() string { return e.reason }

// signInPerson brings the account of somebody whom the provider vouches for up to
// date and begins a session, in one transaction. Errors: ErrRole; ErrWrong when
// the name is taken or there are too many accounts.
func (s *Service) signInPerson(ctx context.Context, c fleet.ConsoleSignIn, p oidc.Person, caller Caller) (session string, sess fleet.Session, err error) {
	host := hostOf(p.Issuer)
	role, ok := consoleRole(c, p.Roles)
	if !ok {
		s.note(ctx, fleet.AuditEntry{
			Actor: p.Name, Action: "account.refused", Object: p.Subject, Address: addrText(caller), Outcome: "refused",
			Reason: "no role at the console, has " + roleText(p.Roles) + "; by " + host,
		})
		// Whoever has lost the role loses what came of it, too.
		return "", fleet.Session{}, errors.Join(ErrRole, s.signOutPerson(ctx, p))
	}
	var before fleet.Account
	session, sess, err = s.beginSession(ctx, caller, func(tx *state.Tx) (fleet.Account, error) {
		a, err := personAccount(tx, p)
		if before = a; err != nil {
			return a, err
		}
		if a.CreatedAt.IsZero() {
			a.CreatedAt, a.CreatedBy = s.now().UTC(), host
		}
		a.Role = role
		return a, endSetup(tx)
	})
	var taken *collisionError
	if errors.As(err, &taken) {
		s.note(ctx, fleet.AuditEntry{
			Actor: p.Name, Action: "account.refused", Object: p.Subject, Address: addrText(caller), Outcome: "refused",
			Reason: taken.reason + "; by " + host,
		})
		return "", fleet.Session{}, ErrWrong
	}
	if err != nil {
		return "", fleet.Session{}, err
	}
	actor := Actor{Name: sess.Account, Address: addrText(caller)}
	switch {
	case before.CreatedAt.IsZero():
		s.done(ctx, actor, "account.added", sess.Account, fmt.Sprintf("role %s, by %s as %s", role, host, p.Subject))
	case before.Role != role:
		s.done(ctx, actor, "account.role", sess.Account, fmt.Sprintf("role %s, was %s, by %s", role, before.Role, host))
	}
	s.done(ctx, actor, "account.signed-in", sess.Account, "by "+host)
	return session, sess, nil
}

// consoleRole is the highest role that a claim gives.
func consoleRole(c fleet.ConsoleSignIn, has []string) (fleet.Role, bool) {
	for _, r := range []struct {
		role   fleet.Role
		values []string
	}{
		{fleet.RoleAdministrator, c.Administrators},
		{fleet.RoleTechnician, c.Technicians},
		{fleet.RoleViewer, c.Viewers},
	} {
		if _, ok := matchRole(r.values, has); ok {
			return r.role, true
		}
	}
	return "", false
}

// personAccount finds the account of a person by issuer and subject, or makes one
// under their name. A person keeps the name the account began with.
func personAccount(tx *state.Tx, p oidc.Person) (fleet.Account, error) {
	if a, ok := findPerson(tx, p); ok {
		return a, nil
	}
	name := accountName(p.Name)
	if name == "" {
		return fleet.Account{}, &collisionError{"the person's name has no letter or digit that an account can have"}
	}
	switch other, err := tx.Accounts().Get(name); {
	case errors.Is(err, state.ErrNotFound):
	case err != nil:
		return fleet.Account{}, err
	case other.Issuer == "":
		return fleet.Account{}, &collisionError{"a local account is named " + name + ": rename the person at the provider, or remove the account"}
	default:
		return fleet.Account{}, &collisionError{"another person of " + hostOf(other.Issuer) + " is named " + name + " here: remove that account if they are gone"}
	}
	if n := tx.Accounts().Len(); n >= maxAccounts {
		return fleet.Account{}, &collisionError{fmt.Sprintf("there are %d accounts already: remove one first", n)}
	}
	return fleet.Account{Name: name, Issuer: p.Issuer, Subject: p.Subject}, nil
}

func findPerson(tx *state.Tx, p oidc.Person) (fleet.Account, bool) {
	for a := range tx.Accounts().All() {
		if a.Issuer == p.Issuer && a.Subject == p.Subject {
			return a, true
		}
	}
	return fleet.Account{}, false
}

// accountName brings a person's name into the form of an account's: Anna Müller
// is anna.muller. Two names that come out the same collide, and are told apart by
// nobody but an administrator.
func accountName(name string) string {
	var b strings.Builder
	gap := rune(0)
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._@-", r):
			if gap != 0 && b.Len() > 0 {
				b.WriteRune(gap)
			}
			gap = 0
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // the dots of ü
		case r == ' ':
			gap = '.'
		case gap == 0:
			gap = '-'
		}
		if b.Len() >= 64 {
			break
		}
	}
	return b.String()[:min(b.Len(), 64)]
}

// signOutPerson ends the sessions of a person who may no longer be here.
func (s *Service) signOutPerson(ctx context.Context, p oidc.Person) error {
	var a fleet.Account
	found := false
	err := s.store.View(func(tx *state.Tx) error {
		a, found = findPerson(tx, p)
		return nil
	})
	if err != nil || !found {
		return err
	}
	if err := s.store.Update(ctx, func(tx *state.Tx) error { return signOutAll(tx, a.Name) }); err != nil {
		return fmt.Errorf("auth: sign out: %w", err)
	}
	return nil
}
