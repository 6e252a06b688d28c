package settings

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// entries is an audit log in memory.
type entries []fleet.AuditEntry

func (e *entries) Write(_ context.Context, a fleet.AuditEntry) error {
	*e = append(*e, a)
	return nil
}

func service(t *testing.T) (*Service, *entries) {
	t.Helper()
	store, err := state.Open(t.Context(), state.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), SegmentSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	log := new(entries)
	return New(store, log), log
}

func TestDefaultsHoldUntilSomethingIsSet(t *testing.T) {
	s, log := service(t)
	got, err := s.Get(t.Context())
	if err != nil || !reflect.DeepEqual(got, Default()) {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := Validate(Default()); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
	want := fleet.Settings{Keyboard: "de", PasscodeMaxAgeDays: 0, SharedMACs: []string{"52:54:00:00:00:01"}}
	if err := s.Set(t.Context(), "anna", "192.0.2.9", want); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	changed := fleet.AuditEntry{Actor: "anna", Address: "192.0.2.9", Action: "settings.changed", Outcome: "ok",
		Reason: "keyboard de, was us; sharedMacs 1, were 0; passcodeMaxAgeDays 0, was 180"}
	if len(*log) != 1 || (*log)[0] != changed {
		t.Errorf("audit: %+v", *log)
	}
	if err := s.Change(t.Context(), "anna", "192.0.2.9", func(v *fleet.Settings) { v.PasscodeMaxAgeDays = 30 }); err != nil {
		t.Fatal(err)
	}
	want.PasscodeMaxAgeDays = 30
	if got, err := s.Get(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatIsNotValidChangesNothing(t *testing.T) {
	many := make([]string, maxSharedMACs+1)
	for i := range many {
		many[i] = "52:54:00:00:00:01"
	}
	for says, change := range map[string]func(*fleet.Settings){
		"keyboard":           func(v *fleet.Settings) { v.Keyboard = "../us" },
		"passcodeMaxAgeDays": func(v *fleet.Settings) { v.PasscodeMaxAgeDays = -1 },
		"3650 days":          func(v *fleet.Settings) { v.PasscodeMaxAgeDays = maxAgeDays + 1 },
		"not a MAC address":  func(v *fleet.Settings) { v.SharedMACs = []string{"52:54:00:00:00:01:02:03"} },
		"1001 addresses":     func(v *fleet.Settings) { v.SharedMACs = many },
	} {
		s, log := service(t)
		v := Default()
		change(&v)
		if err := s.Set(t.Context(), "anna", "192.0.2.9", v); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
		if got, err := s.Get(t.Context()); err != nil || !reflect.DeepEqual(got, Default()) || len(*log) != 0 {
			t.Errorf("%s: something changed: %+v, %v, %v", says, got, *log, err)
		}
	}
}
