package auth

import (
	"errors"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func (b *bench) localOff(t *testing.T) {
	t.Helper()
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		return tx.SignIn().Put(fleet.SignIn{Console: fleet.ConsoleSignIn{LocalOff: true}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The last break-glass administrator stays one while local passwords are off, and
// not a moment longer.
func TestLastBreakGlassAdministratorStays(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "anna", fleet.RoleAdministrator)
	b.addAccount(t, "eva", fleet.RoleAdministrator)
	b.addAccount(t, "tom", fleet.RoleTechnician)
	for _, name := range []string{"anna", "tom"} {
		wants(t, b.SetBreakGlass(t.Context(), Actor{}, name, true), nil)
	}
	b.localOff(t)
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "anna", false), ErrLockout)
	wants(t, b.SetRole(t.Context(), Actor{}, "anna", fleet.RoleViewer), ErrLockout)
	wants(t, b.RemoveAccount(t.Context(), Actor{}, "anna"), ErrLockout)
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "tom", false), nil) // no administrator
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "eva", true), nil)
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "anna", false), nil)
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "nobody", true), ErrNotFound)
	b.trail.wants(t, "account.break-glass:ok:on")
	b.trail.wants(t, "account.break-glass:ok:off")
}

// People of a provider have no password: none can be set, and they are no way in
// when the provider is down.
func TestPeopleOfAProviderHaveNoPassword(t *testing.T) {
	b := newBench(t)
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Accounts().Put(fleet.Account{Name: "mia", Role: fleet.RoleAdministrator, Issuer: "https://login.test", Subject: "7"})
	})
	wants(t, err, nil)
	var invalid *InvalidError
	if err := b.SetPassword(t.Context(), Actor{}, "mia", goodPassword); !errors.As(err, &invalid) || invalid.Field != "password" {
		t.Errorf("a password was set: %v", err)
	}
	b.addAccount(t, "anna", fleet.RoleAdministrator)
	wants(t, b.RemoveAccount(t.Context(), Actor{}, "anna"), ErrLastAdministrator) // mia is one only while the provider says so
	if err := b.SetBreakGlass(t.Context(), Actor{}, "mia", true); !errors.As(err, &invalid) || invalid.Field != "breakGlass" {
		t.Errorf("marked as break-glass: %v", err)
	}
}
