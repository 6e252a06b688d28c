package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway/fleet"
)

func (b *bench) addAccount(t *testing.T, name string, role fleet.Role) {
	t.Helper()
	if err := b.AddAccount(t.Context(), Actor{Name: "local"}, name, goodPassword, role); err != nil {
		t.Fatal(err)
	}
}

func TestAddAccountValidates(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ field, name, password, role string }{
		{"name", "", goodPassword, "viewer"},
		{"name", "a b", goodPassword, "viewer"},
		{"name", "../x", goodPassword, "viewer"},
		{"name", "ünal", goodPassword, "viewer"},
		{"name", strings.Repeat("n", 65), goodPassword, "viewer"},
		{"password", "anna", "", "viewer"},
		{"password", "anna", "kZ8!qWx2", "viewer"},
		{"password", "anna", "password2026", "viewer"},
		{"password", "anna", "aaaaaaaaaaaaaaaaaaaa", "viewer"},
		{"password", "annabelle.long", "Annabelle.LONG1", "viewer"},
		{"password", "anna", strings.Repeat("kZ8!", 200), "viewer"},
		{"role", "anna", goodPassword, "root"},
		{"role", "anna", goodPassword, ""},
	} {
		var invalid *InvalidError
		err := b.AddAccount(t.Context(), Actor{}, c.name, c.password, fleet.Role(c.role))
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%+v: err = %v", c, err)
		}
		if c.password != "" && err != nil && strings.Contains(err.Error(), c.password) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	b.addAccount(t, "Anna", fleet.RoleAdministrator)
	wants(t, b.AddAccount(t.Context(), Actor{}, "ANNA", goodPassword, fleet.RoleViewer), ErrExists)
	list, err := b.ListAccounts(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "anna" || list[0].Hash != "" {
		t.Errorf("list %+v, %v", list, err)
	}
	b.trail.neverHolds(t, goodPassword)
}

func TestLastAdministratorStays(t *testing.T) {
	b := newBench(t)
	var removed []string
	b.onGone = func(account string) { removed = append(removed, account) }
	b.addAccount(t, "anna", fleet.RoleAdministrator)
	b.addAccount(t, "tom", fleet.RoleTechnician)
	wants(t, b.RemoveAccount(t.Context(), Actor{}, "anna"), ErrLastAdministrator)
	wants(t, b.SetRole(t.Context(), Actor{}, "Anna", fleet.RoleViewer), ErrLastAdministrator)
	wants(t, b.SetRole(t.Context(), Actor{}, "anna", fleet.RoleAdministrator), nil)
	wants(t, b.RemoveAccount(t.Context(), Actor{}, "nobody"), ErrNotFound)
	b.addAccount(t, "eva", fleet.RoleAdministrator)
	wants(t, b.RemoveAccount(t.Context(), Actor{}, "ANNA"), nil)
	wants(t, b.RemoveAccount(t.Context(), Actor{}, "eva"), ErrLastAdministrator)
	if !slices.Equal(removed, []string{"anna"}) {
		t.Errorf("told of the removal of %q", removed)
	}
}

// Two administrators who remove each other at the same moment: one stays.
func TestAdministratorsRemoveEachOther(t *testing.T) {
	for round := range 10 {
		b := newBench(t)
		names := []string{"anna", "eva", "ida"}
		for _, n := range names {
			b.addAccount(t, n, fleet.RoleAdministrator)
		}
		var wg sync.WaitGroup
		for _, n := range names {
			wg.Go(func() { b.RemoveAccount(t.Context(), Actor{}, n) })
		}
		wg.Wait()
		if list, err := b.ListAccounts(t.Context()); err != nil || len(list) != 1 {
			t.Fatalf("round %d: %d administrators remain, want 1 (%v)", round, len(list), err)
		}
	}
}

func TestSignInAtTheConsole(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "anna", fleet.RoleAdministrator)
	for _, c := range []struct{ name, password string }{
		{"anna", "wrong"}, {"anna", ""}, {"nobody", goodPassword}, {"", goodPassword}, {"my secret typed here", "x"},
	} {
		runs := b.hasher.runs.Load()
		_, _, err := b.SignIn(t.Context(), c.name, c.password, from("192.0.2.1"))
		wants(t, err, ErrWrong)
		if n := b.hasher.runs.Load() - runs; n != 1 {
			t.Errorf("%q: %d argon2id runs, want 1 as for every other", c.name, n)
		}
	}
	_, _, err := b.SignIn(t.Context(), "anna", goodPassword, from("192.0.2.1"))
	throttled(t, err) // after five
	cookie, sess, err := b.SignIn(t.Context(), " Anna ", goodPassword, from("192.0.2.2"))
	if err != nil || sess.Account != "anna" || sess.Address != "192.0.2.2" {
		t.Fatalf("%+v, %v", sess, err)
	}
	b.trail.neverHolds(t, goodPassword, "my secret typed here", cookie, sess.CSRF)
	if e := b.trail.wants(t, "account.refused:refused:wrong name or password"); e.Object != "anna" {
		t.Errorf("audit %+v", e)
	}
	b.trail.wants(t, "account.refused:refused:throttled")
	b.trail.wants(t, "account.signed-in:ok:")
}

// Guessing at the console harms neither devices nor other addresses.
func TestConsoleThrottleIsSeparate(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, weakPasscode)
	b.addAccount(t, "anna", fleet.RoleAdministrator)
	for i := range 200 {
		for range 5 {
			_, _, err := b.SignIn(t.Context(), "anna", "guess", from(fmt.Sprintf("192.0.2.%d", i+1)))
			wants(t, err, ErrWrong)
		}
	}
	wants(t, b.try(weakPasscode, "192.0.2.1", "a"), nil)
	_, _, err := b.SignIn(t.Context(), "anna", goodPassword, from("192.0.2.250"))
	wants(t, err, nil)
	for range 5 {
		_, _, err := b.SignIn(t.Context(), "anna", "guess", from("2001:db8::1"))
		wants(t, err, ErrWrong)
	}
	_, _, err = b.SignIn(t.Context(), "anna", goodPassword, from("2001:db8::2"))
	if e := throttled(t, err); e.HoldCode != "" {
		t.Error("a code at the console leads nowhere")
	}
}

// TestOneAccountBuysNoGuessesAtAnother: who signs in now and then with an account of their
// own is held back like everybody when they guess at another's password.
func TestOneAccountBuysNoGuessesAtAnother(t *testing.T) {
	b := newBench(t)
	const own = "other-Harbour 77 mint"
	for name, c := range map[string]struct {
		password string
		role     fleet.Role
	}{"boss": {goodPassword, fleet.RoleAdministrator}, "viewer": {own, fleet.RoleViewer}} {
		if err := b.AddAccount(t.Context(), Actor{Name: "local"}, name, c.password, c.role); err != nil {
			t.Fatal(err)
		}
	}
	guesses := 0
	for i := range 100 {
		name, password := "boss", "guess-number"
		if i%5 == 4 {
			name, password = "viewer", own
		}
		_, _, err := b.SignIn(t.Context(), name, password, from("192.0.2.9"))
		if errors.Is(err, ErrWrong) {
			guesses++
		}
	}
	if guesses > freeFailures {
		t.Errorf("%d guesses without a wait", guesses)
	}
	// Who mistypes and then signs in is not held back, now or at the next sign-in.
	for range 3 {
		_, _, _ = b.SignIn(t.Context(), "boss", "mistyped", from("192.0.2.10"))
	}
	for range 3 {
		if _, _, err := b.SignIn(t.Context(), "boss", goodPassword, from("192.0.2.10")); err != nil {
			t.Errorf("after three mistakes: %v", err)
		}
	}
}
