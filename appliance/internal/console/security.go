package console

import (
	"context"
	"errors"

	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/settings"
	"slipway/fleet"
	"slipway/ui"
)

type security struct {
	auth     *auth.Service
	settings *settings.Service
}

// Reminder implements ui.Security.
func (s security) Reminder(ctx context.Context) (int, error) {
	v, err := s.settings.Get(ctx)
	return v.PasscodeMaxAgeDays, translate(err)
}

// SetReminder implements ui.Security.
func (s security) SetReminder(ctx context.Context, by ui.Actor, days int) error {
	err := s.settings.Change(ctx, by.Name, by.Address.String(), func(v *fleet.Settings) { v.PasscodeMaxAgeDays = days })
	if errors.Is(err, settings.ErrInvalid) {
		return &ui.FieldError{Field: "reminder", Detail: sentence(err, settings.ErrInvalid)}
	}
	return translate(err)
}

// Mechanisms implements ui.Security: what is switched on, or has something set.
func (s security) Mechanisms(ctx context.Context) ([]fleet.Mechanism, error) {
	v, err := s.auth.SignInSettings(ctx)
	if err != nil {
		return nil, translate(err)
	}
	passcodes, err := s.auth.Passcodes(ctx)
	if err != nil {
		return nil, translate(err)
	}
	var out []fleet.Mechanism
	for _, m := range []struct {
		on   bool
		name fleet.Mechanism
	}{
		{v.Anonymous, fleet.MechanismAnonymous}, {v.Certificate.Enabled, fleet.MechanismCertificate},
		{v.Entra.Enabled, fleet.MechanismEntra}, {len(passcodes) > 0, fleet.MechanismPasscode},
	} {
		if m.on {
			out = append(out, m.name)
		}
	}
	return out, nil
}

func (s security) Settings(ctx context.Context) ([]ui.Setting, error) {
	v, err := s.auth.SignInSettings(ctx)
	if err != nil {
		return nil, translate(err)
	}
	var out []ui.Setting
	for _, k := range auth.SignInKeys(v) {
		out = append(out, ui.Setting{Name: k.Name, Kind: k.Kind, Value: k.Value})
	}
	return out, nil
}

func (s security) ChangeSignIn(ctx context.Context, by ui.Actor, changes map[string]string, confirm bool) error {
	return translate(s.auth.ChangeSignIn(ctx, authActor(by), changes, confirm))
}

func (s security) Preview(ctx context.Context) ([]fleet.SignInPreview, error) {
	list, err := s.auth.Preview(ctx)
	return list, translate(err)
}

func (s security) TestSignIn(ctx context.Context, by ui.Actor, m fleet.Mechanism) (fleet.SignInTest, error) {
	found, err := s.auth.TestSignIn(ctx, authActor(by), m)
	return found, translate(err)
}

func (s security) Warnings(ctx context.Context) ([]string, error) {
	list, err := s.auth.Warnings(ctx)
	return list, translate(err)
}

func (s security) Passcodes(ctx context.Context) ([]fleet.PasscodeStatus, error) {
	list, err := s.auth.Passcodes(ctx)
	return list, translate(err)
}

func (s security) PutPasscode(ctx context.Context, by ui.Actor, p ui.NewPasscode) error {
	return translate(s.auth.PutPasscode(ctx, authActor(by), auth.NewPasscode{
		Name: p.Name, Value: p.Value, Force: p.Force, ExpiresAt: p.ExpiresAt, MaxUses: p.MaxUses, Scope: p.Scope, Overlap: p.Overlap,
	}))
}

func (s security) RemovePasscode(ctx context.Context, by ui.Actor, name string) error {
	return translate(s.auth.RemovePasscode(ctx, authActor(by), name))
}

func (s security) GeneratePasscode() string { return auth.GeneratePasscode() }

func (s security) Held(ctx context.Context) ([]fleet.Held, error) {
	list, err := s.auth.Held(ctx)
	return list, translate(err)
}

func (s security) Release(ctx context.Context, by ui.Actor, code string) error {
	return translate(s.auth.Release(ctx, authActor(by), code))
}
