package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const (
	setupGroups      = 4
	setupGroupLength = 4 // of 24 letters: 73 bits in all
)

const installationKey = "self"

// NeedsSetup reports whether no account exists yet.
func (s *Service) NeedsSetup(context.Context) (need bool, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		need = tx.Accounts().Len() == 0
		return nil
	})
	return need, err
}

// NewSetupCode makes the one-time code that lets a browser make the first
// administrator; serve prints it at its start. Codes made before are void. It
// returns an empty code when an account exists: there is nothing to set up.
func (s *Service) NewSetupCode(ctx context.Context) (string, error) {
	code := randomCode(setupGroups * setupGroupLength)
	done := false
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		done = tx.Accounts().Len() > 0
		if done {
			return endSetup(tx)
		}
		i, err := tx.Installation().Get(installationKey)
		if err != nil {
			return err
		}
		i.SetupCode = hashOf(code)
		return tx.Installation().Put(i)
	})
	if err != nil {
		return "", fmt.Errorf("auth: make setup code: %w", err)
	}
	if done {
		return "", nil
	}
	var groups []string
	for i := range setupGroups {
		groups = append(groups, code[i*setupGroupLength:(i+1)*setupGroupLength])
	}
	return strings.Join(groups, "-"), nil
}

// Setup makes the first administrator for whoever has the setup code. It works
// once, and only while no account exists. Errors: ErrSetupDone, ErrWrong,
// *ThrottledError, *InvalidError ("name", "password").
func (s *Service) Setup(ctx context.Context, code, name, password string, caller Caller) error {
	if need, err := s.NeedsSetup(ctx); err != nil || !need {
		return errors.Join(err, whenNot(need, ErrSetupDone))
	}
	a, held := s.throttle.begin(newConsoleSubject(caller), limits{})
	if held != nil {
		s.refuseSetup(ctx, caller, "throttled")
		return held
	}
	code = plainCode(code)
	if err := s.store.View(func(tx *state.Tx) error { return checkSetupCode(tx, code) }); err != nil {
		if !errors.Is(err, ErrWrong) {
			a.cancel()
			return err
		}
		a.fail()
		s.refuseSetup(ctx, caller, "wrong setup code")
		return ErrWrong
	}
	a.succeed()
	account, err := s.newAccount(ctx, "setup", name, password, fleet.RoleAdministrator)
	if err != nil {
		return err
	}
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		if tx.Accounts().Len() > 0 {
			return ErrSetupDone
		}
		if err := checkSetupCode(tx, code); err != nil {
			return err // another start made a new one
		}
		return errors.Join(endSetup(tx), tx.Accounts().Put(account))
	})
	if err != nil {
		return fmt.Errorf("auth: setup: %w", err)
	}
	s.done(ctx, Actor{Name: account.Name, Address: addrText(caller)}, "setup.done", account.Name, "role administrator")
	return nil
}

func whenNot(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

func (s *Service) refuseSetup(ctx context.Context, caller Caller, reason string) {
	s.note(ctx, fleet.AuditEntry{
		Actor: "console", Action: "setup.refused", Address: addrText(caller), Outcome: "refused", Reason: reason,
	})
}

// checkSetupCode compares in constant time. An empty stored hash matches nothing.
func checkSetupCode(tx *state.Tx, code string) error {
	i, err := tx.Installation().Get(installationKey)
	if err != nil {
		return err
	}
	if i.SetupCode == "" || subtle.ConstantTimeCompare([]byte(i.SetupCode), []byte(hashOf(code))) != 1 {
		return ErrWrong
	}
	return nil
}

// endSetup voids the setup code.
func endSetup(tx *state.Tx) error {
	i, err := tx.Installation().Get(installationKey)
	if errors.Is(err, state.ErrNotFound) || err == nil && i.SetupCode == "" {
		return nil
	}
	if err != nil {
		return err
	}
	i.SetupCode = ""
	return tx.Installation().Put(i)
}

// plainCode undoes what people do to a code when they type it.
func plainCode(code string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\n' || r == '\r' || r == '\t' {
			return -1
		}
		return r
	}, code))
}
