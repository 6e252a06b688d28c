package auth

import (
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func (b *bench) signIn(t *testing.T, name string) (string, fleet.Session) {
	t.Helper()
	cookie, sess, err := b.SignIn(t.Context(), name, goodPassword, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	return cookie, sess
}

func (b *bench) sessionErr(t *testing.T, cookie string) error {
	t.Helper()
	_, _, err := b.Session(t.Context(), cookie)
	return err
}

func TestSessionLife(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "anna", fleet.RoleTechnician)
	cookie, sess := b.signIn(t, "anna")
	a, again, err := b.Session(t.Context(), cookie)
	if err != nil || a.Name != "anna" || a.Role != fleet.RoleTechnician || a.Hash != "" || again.CSRF != sess.CSRF {
		t.Fatalf("%+v %+v %v", a, again, err)
	}
	for _, wrong := range []string{"", sess.Hash, cookie + "x", "../../x", cookie[1:]} {
		wants(t, b.sessionErr(t, wrong), ErrNoToken)
	}
	// Use prolongs it, up to its longest time.
	for range 23 {
		b.clock.add(30 * time.Minute)
		wants(t, b.sessionErr(t, cookie), nil)
	}
	b.clock.add(30 * time.Minute)
	wants(t, b.sessionErr(t, cookie), ErrExpired)

	idle, _ := b.signIn(t, "anna")
	b.clock.add(sessionIdle)
	wants(t, b.sessionErr(t, idle), ErrExpired)
	if err := b.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, b.sessionErr(t, idle), ErrNoToken)
}

// Whatever value a browser held before, signing in gives it a new one.
func TestSignInMakesANewCookie(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "anna", fleet.RoleViewer)
	one, first := b.signIn(t, "anna")
	two, second := b.signIn(t, "anna")
	if one == two || first.CSRF == second.CSRF || len(one) < 43 || len(first.CSRF) < 43 {
		t.Errorf("cookies %q %q", one, two)
	}
	if !CheckCSRF(first, first.CSRF) || CheckCSRF(first, second.CSRF) || CheckCSRF(first, "") || CheckCSRF(fleet.Session{}, "") {
		t.Error("CSRF tokens are not compared")
	}
}

func TestSignOut(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "anna", fleet.RoleViewer)
	cookie, _ := b.signIn(t, "anna")
	other, _ := b.signIn(t, "anna")
	wants(t, b.SignOut(t.Context(), cookie), nil)
	wants(t, b.sessionErr(t, cookie), ErrNoToken)
	wants(t, b.sessionErr(t, other), nil)
	wants(t, b.SignOut(t.Context(), cookie), nil)
	wants(t, b.SignOut(t.Context(), "nonsense"), nil)
	b.trail.wants(t, "account.signed-out:ok:")
}

func TestSessionsEndWithTheAccountOrItsPassword(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "root", fleet.RoleAdministrator)
	b.addAccount(t, "anna", fleet.RoleAdministrator)
	cookie, _ := b.signIn(t, "anna")
	wants(t, b.SetRole(t.Context(), Actor{}, "anna", fleet.RoleViewer), nil)
	if a, _, err := b.Session(t.Context(), cookie); err != nil || a.Role != fleet.RoleViewer {
		t.Errorf("a lost right is still there: %+v, %v", a, err)
	}
	wants(t, b.SetPassword(t.Context(), Actor{}, "anna", "velvet Tundra 63 kiosk"), nil)
	wants(t, b.sessionErr(t, cookie), ErrNoToken)
	_, _, err := b.SignIn(t.Context(), "anna", goodPassword, from("192.0.2.9"))
	wants(t, err, ErrWrong)
	cookie, _, err = b.SignIn(t.Context(), "anna", "velvet Tundra 63 kiosk", from("192.0.2.9"))
	wants(t, err, nil)
	wants(t, b.RemoveAccount(t.Context(), Actor{}, "anna"), nil)
	wants(t, b.sessionErr(t, cookie), ErrNoToken)
}

func TestSessionsAreBounded(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "anna", fleet.RoleViewer)
	first, _ := b.signIn(t, "anna")
	var last string
	for range 2 * sessionsPerAccount {
		b.clock.add(time.Second)
		last, _ = b.signIn(t, "anna")
	}
	_ = b.state.View(func(tx *state.Tx) error {
		if n := tx.Sessions().Len(); n != sessionsPerAccount {
			t.Errorf("%d sessions, want %d", n, sessionsPerAccount)
		}
		return nil
	})
	wants(t, b.sessionErr(t, first), ErrNoToken)
	wants(t, b.sessionErr(t, last), nil)
}

// Looking at a page must not write to the state each time.
func TestSessionUseIsCoalesced(t *testing.T) {
	b := newBench(t)
	b.addAccount(t, "anna", fleet.RoleViewer)
	cookie, _ := b.signIn(t, "anna")
	changes := b.state.Subscribe(t.Context(), "sessions")
	for range 100 {
		b.clock.add(4 * time.Second)
		wants(t, b.sessionErr(t, cookie), nil)
	}
	if n := len(changes); n > 2 {
		t.Errorf("%d writes in seven minutes of clicking", n)
	}
}
