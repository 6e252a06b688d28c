package auth

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func (b *bench) setupCode(t *testing.T) string {
	t.Helper()
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		if tx.Installation().Has(installationKey) {
			return nil
		}
		return tx.Installation().Put(fleet.Installation{ID: "abcdefghijklmnop"})
	})
	if err != nil {
		t.Fatal(err)
	}
	code, err := b.NewSetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// A stranger's browser cannot take a fresh appliance.
func TestStrangerCannotSetUp(t *testing.T) {
	b := newBench(t)
	caller := from("192.0.2.66")
	// Before any code was made, not even the empty one works.
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Installation().Put(fleet.Installation{ID: "abcdefghijklmnop"})
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, b.Setup(t.Context(), "", "evil", goodPassword, caller), ErrWrong)
	code := b.setupCode(t)
	for _, guess := range []string{"AAAA-AAAA-AAAA-AAAA", code[:len(code)-1], code + "A", hashOf(plainCode(code))} {
		wants(t, b.Setup(t.Context(), guess, "evil", goodPassword, caller), ErrWrong)
	}
	throttled(t, b.Setup(t.Context(), code, "evil", goodPassword, caller))
	if need, err := b.NeedsSetup(t.Context()); err != nil || !need {
		t.Errorf("needs setup: %v, %v", need, err)
	}
	b.trail.wants(t, "setup.refused:refused:wrong setup code")
	b.trail.wants(t, "setup.refused:refused:throttled")
	b.trail.neverHolds(t, code, plainCode(code), goodPassword)
}

func TestSetup(t *testing.T) {
	b := newBench(t)
	void := b.setupCode(t)
	code := b.setupCode(t) // as after a restart
	if len(code) != 19 || strings.Count(code, "-") != 3 {
		t.Errorf("code %q", code)
	}
	caller := from("192.0.2.1")
	wants(t, b.Setup(t.Context(), void, "anna", goodPassword, caller), ErrWrong)
	var invalid *InvalidError
	if err := b.Setup(t.Context(), code, "anna", "short", caller); !errors.As(err, &invalid) || invalid.Field != "password" {
		t.Errorf("err = %v", err)
	}
	typed := strings.ToLower(strings.ReplaceAll(code, "-", " ")) + "\n"
	wants(t, b.Setup(t.Context(), typed, "Anna", goodPassword, caller), nil)
	list, err := b.ListAccounts(t.Context())
	if err != nil || len(list) != 1 || list[0].Role != fleet.RoleAdministrator || list[0].Name != "anna" {
		t.Errorf("accounts %+v, %v", list, err)
	}
	wants(t, b.Setup(t.Context(), code, "evil", goodPassword, caller), ErrSetupDone)
	if again := b.setupCode(t); again != "" {
		t.Errorf("a code %q although there is an account", again)
	}
	b.trail.wants(t, "setup.done:ok:role administrator")
	_, _, err = b.SignIn(t.Context(), "anna", goodPassword, caller)
	wants(t, err, nil)
}

// An account made over the local socket ends the time of the code.
func TestLocalAccountEndsSetup(t *testing.T) {
	b := newBench(t)
	code := b.setupCode(t)
	b.addAccount(t, "anna", fleet.RoleAdministrator)
	wants(t, b.Setup(t.Context(), code, "evil", goodPassword, from("192.0.2.1")), ErrSetupDone)
	_ = b.state.View(func(tx *state.Tx) error {
		if i, err := tx.Installation().Get(installationKey); err != nil || i.SetupCode != "" {
			t.Errorf("the code is still kept: %+v, %v", i, err)
		}
		return nil
	})
}

// The code works once, also for those who use it at the same moment.
func TestSetupRace(t *testing.T) {
	b := newBench(t)
	code := b.setupCode(t)
	var wg sync.WaitGroup
	var done atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			name := string(rune('a'+i)) + "nna"
			if b.Setup(t.Context(), code, name, goodPassword, from("192.0.2.1")) == nil {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if list, err := b.ListAccounts(t.Context()); done.Load() != 1 || err != nil || len(list) != 1 {
		t.Errorf("%d succeeded, accounts %+v, %v", done.Load(), list, err)
	}
}
