package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// SignInKey is one setting as `slipway auth set KEY=VALUE`, the admin API and the
// console name it.
type SignInKey struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // switch (on, off), text, list (comma separated), pem, secret
	Help string `json:"help"`
}

// SignInKeys lists every setting.
func SignInKeys() []SignInKey { return nil }

// ConfirmError says that a change needs to be confirmed, and what it means.
type ConfirmError struct {
	Field string
	Text  string
}

func (e *ConfirmError) Error() string { return e.Text }

// ChangeSignIn changes settings by their keys, all or none, effective at once.
// Errors: *InvalidError with the key as field; *ConfirmError for a change that
// opens the appliance, unless confirm is set; ErrLockout.
func (s *Service) ChangeSignIn(ctx context.Context, actor Actor, changes map[string]string, confirm bool) error {
	return ErrNotAllowed
}

// Preview tells what a device that is booted now would be asked, and an installed OS.
func (s *Service) Preview(ctx context.Context) ([]fleet.SignInPreview, error) { return nil, nil }

// TestSignIn tries a mechanism's settings out. Nothing is changed.
func (s *Service) TestSignIn(ctx context.Context, actor Actor, m fleet.Mechanism) (fleet.SignInTest, error) {
	return fleet.SignInTest{Mechanism: m}, nil
}

// Warnings are sentences that stand on every page of the console while the
// settings are as they are: anyone may deploy, nobody can sign in, and the like.
func (s *Service) Warnings(ctx context.Context) ([]string, error) { return nil, nil }

// SignInAnonymous lets in whoever asks, while that is switched on. ErrNotAllowed.
func (s *Service) SignInAnonymous(ctx context.Context, environment string, claim fleet.Claim, caller Caller) (token string, expires time.Time, err error) {
	return "", time.Time{}, ErrNotAllowed
}
