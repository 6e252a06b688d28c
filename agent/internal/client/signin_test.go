package client

import (
	"net/http"
	"testing"
	"time"

	"slipway/agent/wire"
)

// TestIdentify goes from one TLS identity to another and back: a token is good over
// connections with its own identity only, and is not carried over.
func TestIdentify(t *testing.T) {
	a, o := start(t)
	c := connect(t, o)
	if err := c.SignIn(t.Context(), wire.PasscodeSignIn{Passcode: a.Passcode}); err != nil {
		t.Fatal(err)
	}
	token := c.Token()
	other, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	c.Identify(other)
	if c.Token().Token != "" || Binding(c.Identity()) != Binding(other) {
		t.Error("the token of another identity is kept")
	}
	c.SetToken(token)
	if _, err := c.TaskSequences(t.Context()); Status(err) != http.StatusUnauthorized {
		t.Errorf("another identity's token: %v", err)
	}
	c.Identify(o.Identity)
	if c.SetToken(token); c.Token().Token != token.Token {
		t.Error("no token")
	}
	if _, err := c.TaskSequences(t.Context()); err != nil {
		t.Errorf("back with the first identity: %v", err)
	}
}

func TestSignInWithoutAPasscode(t *testing.T) {
	a, o := start(t)
	c := connect(t, o)
	for name, call := range map[string]func() error{
		wire.Anonymous:   func() error { return c.SignInAnonymous(t.Context(), wire.SignIn{}) },
		wire.Certificate: func() error { return c.SignInCertificate(t.Context(), wire.SignIn{}) },
		wire.Entra:       func() error { _, err := c.EntraStart(t.Context(), wire.SignIn{}); return err },
	} {
		if err := call(); Status(err) != http.StatusForbidden || Word(err) != "not-allowed" {
			t.Errorf("%s, which is not offered: %v, %q", name, err, Word(err))
		}
	}
	a.Do(func() {
		a.Mechanisms.Mechanisms = []string{wire.Anonymous, wire.Certificate}
		a.Certificate = "slipway agent"
	})
	for name, call := range map[string]func() error{
		wire.Anonymous:   func() error { return c.SignInAnonymous(t.Context(), wire.SignIn{}) },
		wire.Certificate: func() error { return c.SignInCertificate(t.Context(), wire.SignIn{}) },
	} {
		c.SetToken(wire.Token{})
		if err := call(); err != nil || c.Token().Token == "" {
			t.Errorf("%s: %v, token %q", name, err, c.Token().Token)
		}
	}
}

func TestEntraPoll(t *testing.T) {
	a, o := start(t)
	c := connect(t, o)
	a.Do(func() { a.Mechanisms.Mechanisms, a.EntraInterval = []string{wire.Entra}, 7 })
	flow, err := c.EntraStart(t.Context(), wire.SignIn{})
	if err != nil || flow.UserCode == "" || flow.VerificationURI == "" {
		t.Fatalf("%+v, %v", flow, err)
	}
	if pending, err := c.EntraPoll(t.Context(), flow.Session); err != nil || pending != 7*time.Second || c.Token().Token != "" {
		t.Errorf("pending: %v, %v", pending, err)
	}
	for _, want := range []wire.Problem{{Status: 503}, {Status: 403, Type: "urn:slipway:problem:denied"}, {Status: 403, Type: "about:blank"}} {
		a.Do(func() { a.EntraAnswer = func(int) wire.Problem { return want } })
		_, err := c.EntraPoll(t.Context(), flow.Session)
		word := map[bool]string{true: "denied"}[want.Type != "about:blank" && want.Type != ""]
		if Status(err) != want.Status || Word(err) != word || Temporary(err) != (want.Status == 503) {
			t.Errorf("%+v: %v, %q", want, err, Word(err))
		}
		if want.Status == 403 {
			if flow, err = c.EntraStart(t.Context(), wire.SignIn{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := c.EntraPoll(t.Context(), "nobody's"); Status(err) != http.StatusGone {
		t.Errorf("an unknown session: %v", err)
	}
	a.Do(func() { a.EntraAnswer = func(int) wire.Problem { return wire.Problem{Status: 200} } })
	if pending, err := c.EntraPoll(t.Context(), flow.Session); err != nil || pending != 0 || c.Token().Token == "" {
		t.Errorf("granted: %v, %v", pending, err)
	}
}
