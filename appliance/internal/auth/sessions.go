package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const (
	sessionIdle        = time.Hour      // without a request
	sessionLongest     = 12 * time.Hour // from sign-in
	sessionStep        = 5 * time.Minute
	sessionsPerAccount = 10 // the oldest goes
)

// SignIn checks name and password and begins a session. The cookie's value is
// always new, whatever the browser held before. Errors: ErrWrong,
// *ThrottledError.
func (s *Service) SignIn(ctx context.Context, name, password string, caller Caller) (cookie string, sess fleet.Session, err error) {
	a, held := s.throttle.begin(newConsoleSubject(caller), limits{})
	if held != nil {
		s.refuseSignIn(ctx, "", caller, "throttled")
		return "", sess, held
	}
	account, err := s.account(name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		a.cancel()
		return "", sess, err
	}
	right, err := s.check(ctx, a, account.Hash, password)
	if err != nil {
		return "", sess, err
	}
	settings, err := s.SignInSettings(ctx)
	if err != nil {
		a.cancel()
		return "", sess, err
	}
	if reason := passwordRefused(account, settings.Console, right); reason != "" {
		a.fail()
		// Only a name that exists is written down: people type passwords into the
		// wrong field.
		s.refuseSignIn(ctx, account.Name, caller, reason)
		return "", sess, ErrWrong
	}
	a.succeed()
	cookie, sess, err = s.beginSession(ctx, caller, func(tx *state.Tx) (fleet.Account, error) {
		now, err := tx.Accounts().Get(account.Name)
		if errors.Is(err, state.ErrNotFound) || err == nil && now.Hash != account.Hash {
			return now, ErrWrong // removed, or the password changed since it was checked
		}
		return now, err
	})
	if err != nil {
		return "", fleet.Session{}, err
	}
	s.done(ctx, Actor{Name: account.Name, Address: addrText(caller)}, "account.signed-in", account.Name, "")
	return cookie, sess, nil
}

// passwordRefused says why a password does not let its account in; empty: it does.
func passwordRefused(a fleet.Account, c fleet.ConsoleSignIn, right bool) string {
	switch {
	case a.Issuer != "":
		return "this person signs in with " + hostOf(a.Issuer) + ", not with a password"
	case !right || a.Hash == "":
		return "wrong name or password"
	case c.LocalOff && !a.BreakGlass:
		return "local passwords are off, and this is no break-glass account"
	}
	return ""
}

func (s *Service) refuseSignIn(ctx context.Context, name string, caller Caller, reason string) {
	s.note(ctx, fleet.AuditEntry{
		Actor: "console", Action: "account.refused", Object: name,
		Address: addrText(caller), Outcome: "refused", Reason: reason,
	})
}

// account finds an account by the name as typed. ErrNotFound.
func (s *Service) account(name string) (a fleet.Account, err error) {
	key, err := accountKey(name)
	if err != nil {
		return a, ErrNotFound
	}
	err = s.store.View(func(tx *state.Tx) error {
		a, err = tx.Accounts().Get(key)
		return err
	})
	if errors.Is(err, state.ErrNotFound) {
		return fleet.Account{}, ErrNotFound
	}
	return a, err
}

// beginSession stores a new session for the account that find gives, which may
// refuse, or bring the account up to date; it may be run again.
func (s *Service) beginSession(ctx context.Context, caller Caller, find func(tx *state.Tx) (fleet.Account, error)) (string, fleet.Session, error) {
	cookie := newSecret("")
	now := s.now().UTC()
	sess := fleet.Session{
		Hash: hashOf(cookie), CSRF: newSecret(""), Address: addrText(caller),
		CreatedAt: now, ExpiresAt: now.Add(sessionIdle),
	}
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		a, err := find(tx)
		if err != nil {
			return err
		}
		sess.Account = a.Name
		older := slices.SortedFunc(tx.Sessions().ByAccount(a.Name), func(x, y fleet.Session) int {
			return cmp.Or(y.CreatedAt.Compare(x.CreatedAt), cmp.Compare(x.Hash, y.Hash))
		})
		for _, o := range older[min(len(older), sessionsPerAccount-1):] {
			if err := tx.Sessions().Delete(o.Hash); err != nil {
				return err
			}
		}
		a.LastSeen = now
		return errors.Join(tx.Accounts().Put(a), tx.Sessions().Put(sess))
	})
	if err != nil {
		return "", fleet.Session{}, fmt.Errorf("auth: begin session: %w", err)
	}
	return cookie, sess, nil
}

// Session finds the session of a cookie and its account as it is now, without
// its hash. Use prolongs it by sessionIdle, up to sessionLongest from sign-in.
// Errors: ErrNoToken, ErrExpired.
func (s *Service) Session(ctx context.Context, cookie string) (fleet.Account, fleet.Session, error) {
	if !isBearer(cookie) {
		return fleet.Account{}, fleet.Session{}, ErrNoToken
	}
	var a fleet.Account
	var sess fleet.Session
	err := s.store.View(func(tx *state.Tx) (err error) {
		if sess, err = tx.Sessions().Get(hashOf(cookie)); err != nil {
			return err
		}
		if a, err = tx.Accounts().Get(sess.Account); err != nil {
			return err
		}
		return providerStands(tx, a)
	})
	if errors.Is(err, state.ErrNotFound) {
		return fleet.Account{}, fleet.Session{}, ErrNoToken
	}
	if err != nil {
		return fleet.Account{}, fleet.Session{}, fmt.Errorf("auth: read session: %w", err)
	}
	if !s.now().Before(sess.ExpiresAt) {
		return fleet.Account{}, fleet.Session{}, ErrExpired
	}
	a.Hash = ""
	return a, s.prolong(ctx, sess), nil
}

// providerStands is state.ErrNotFound for the account of a provider that was
// switched off or replaced: what it vouched for ends with it.
func providerStands(tx *state.Tx, a fleet.Account) error {
	if a.Issuer == "" {
		return nil
	}
	v, err := signIn(tx)
	if err == nil && (!v.Console.Enabled || v.Console.Issuer != a.Issuer) {
		return state.ErrNotFound
	}
	return err
}

// prolong moves the end of a session, not more often than every sessionStep.
// When that cannot be stored, e.g. on a full disk, the session goes on as it is.
func (s *Service) prolong(ctx context.Context, sess fleet.Session) fleet.Session {
	end := earlier(s.now().UTC().Add(sessionIdle), sess.CreatedAt.Add(sessionLongest))
	if end.Sub(sess.ExpiresAt) < sessionStep {
		return sess
	}
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		now, err := tx.Sessions().Get(sess.Hash)
		if err != nil {
			return err // signed out meanwhile
		}
		now.ExpiresAt = end
		return tx.Sessions().Put(now)
	})
	if err != nil {
		s.warn(ctx, "session could not be prolonged", err)
		return sess
	}
	sess.ExpiresAt = end
	return sess
}

// CheckCSRF compares the token a form or header carried with the session's, in
// constant time.
func CheckCSRF(sess fleet.Session, token string) bool {
	return sess.CSRF != "" && subtle.ConstantTimeCompare([]byte(sess.CSRF), []byte(token)) == 1
}

// SignOut ends a session. A cookie nobody knows is no error.
func (s *Service) SignOut(ctx context.Context, cookie string) error {
	a, sess, err := s.Session(ctx, cookie)
	if errors.Is(err, ErrNoToken) || errors.Is(err, ErrExpired) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.store.Update(ctx, func(tx *state.Tx) error { return tx.Sessions().Delete(sess.Hash) }); err != nil {
		return fmt.Errorf("auth: sign out: %w", err)
	}
	s.done(ctx, Actor{Name: a.Name, Address: sess.Address}, "account.signed-out", a.Name, "")
	return nil
}

// signOutAll ends all sessions of an account.
func signOutAll(tx *state.Tx, account string) error {
	for _, sess := range slices.Collect(tx.Sessions().ByAccount(account)) {
		if err := tx.Sessions().Delete(sess.Hash); err != nil {
			return err
		}
	}
	return nil
}

// pruneSessions removes expired sessions.
func (s *Service) pruneSessions(ctx context.Context) error {
	now := s.now()
	return s.pruneExpired(ctx, func(tx *state.Tx) (old []func() error) {
		for sess := range tx.Sessions().All() {
			if !now.Before(sess.ExpiresAt) {
				old = append(old, func() error { return tx.Sessions().Delete(sess.Hash) })
			}
		}
		return old
	})
}
