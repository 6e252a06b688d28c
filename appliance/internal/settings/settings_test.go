package settings

import (
	"context"
	"errors"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

type recorder []fleet.AuditEntry

func (r *recorder) Write(_ context.Context, e fleet.AuditEntry) error {
	*r = append(*r, e)
	return nil
}

func TestSettingsHoldAfterARestartAndAreAudited(t *testing.T) {
	dir := t.TempDir()
	open := func() *state.Store {
		s, err := state.Open(t.Context(), state.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	store := open()
	var log recorder
	s := New(store, &log)
	if got, err := s.Get(t.Context()); err != nil || got.Keyboard != "us" {
		t.Errorf("default %+v, %v", got, err)
	}
	want := fleet.Settings{Keyboard: "de", SharedMACs: []string{"00:11:22:33:44:55"}, PasscodeMaxAgeDays: 30}
	if err := s.Set(t.Context(), "anna", want); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = open()
	defer store.Close()
	got, err := New(store, &log).Get(t.Context())
	if err != nil || got.Keyboard != "de" || got.PasscodeMaxAgeDays != 30 || len(got.SharedMACs) != 1 {
		t.Errorf("after a restart %+v, %v", got, err)
	}
	if len(log) != 1 || log[0].Actor != "anna" || log[0].Action != "settings.changed" {
		t.Errorf("audit %+v", log)
	}
}

func TestValidateNamesTheSetting(t *testing.T) {
	for want, v := range map[string]fleet.Settings{
		"keyboard":           {Keyboard: "DE; rm"},
		"passcodeMaxAgeDays": {Keyboard: "us", PasscodeMaxAgeDays: -1},
		"sharedMacs":         {Keyboard: "us", SharedMACs: []string{"nonsense"}},
	} {
		if err := Validate(v); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", v, err)
		}
	}
	if err := Validate(Default()); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
}
