package ui

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// --- the console's OpenID provider -------------------------------------------

func (f fakeSessions) Provider(context.Context) (Provider, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := Provider{LocalOff: f.settings["console.local"] == "off"}
	if f.settings["console"] == "on" {
		p.Name = f.settings["console.name"]
	}
	return p, nil
}

func (f fakeSessions) BeginProvider(_ context.Context, from netip.Addr, origin string) (redirect, cookie string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.settings["console"] != "on" || !from.IsValid():
		return "", "", &Refused{Reason: "Not allowed here."}
	case f.provider != nil:
		return "", "", f.provider
	}
	return "https://login.contoso.example/authorize?" + url.Values{"state": {"s1"}, "redirect_uri": {origin + "/login/callback"}}.Encode(), "secret-of-s1", nil
}

func (f fakeSessions) FinishProvider(ctx context.Context, from netip.Addr, answer url.Values, cookie string) (string, fleet.Session, error) {
	f.mu.Lock()
	err := f.provider
	f.mu.Unlock()
	switch {
	case err != nil:
		return "", fleet.Session{}, err
	case answer.Get("state") != "s1" || cookie != "secret-of-s1":
		return "", fleet.Session{}, ErrLate
	case answer.Get("error") != "":
		return "", fleet.Session{}, ErrDenied
	}
	f.addAccount("mia.koch", "not a password anybody types", fleet.RoleTechnician)
	return f.SignIn(ctx, from, "mia.koch", "not a password anybody types")
}

// --- accounts ------------------------------------------------------------------

type fakeAccounts struct{ *fake }

func (f fakeAccounts) List(context.Context) ([]fleet.Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fleet.Account
	for _, a := range f.accounts { // map order on purpose
		out = append(out, a)
	}
	return out, nil
}

func (f fakeAccounts) Add(_ context.Context, by Actor, name, password string, role fleet.Role) error {
	f.mu.Lock()
	_, taken := f.accounts[name]
	f.mu.Unlock()
	switch {
	case name == "" || strings.ContainsAny(name, " /"):
		return &FieldError{Field: "name", Detail: "Use 1 to 64 letters a to z, digits, and . _ @ -"}
	case !role.Includes(fleet.RoleViewer):
		return &FieldError{Field: "role", Detail: "Use viewer, technician or administrator."}
	case len(password) < 10:
		return &FieldError{Field: "password", Detail: "Use at least 10 characters."}
	case taken:
		return &Refused{Reason: "This name is taken."}
	}
	f.addAccount(name, password, role)
	f.change(Change{Kind: ChangeAccess}, func() { f.note(by, "account.added", name, "ok") })
	return nil
}

// edit changes an account, unless no administrator would be left.
func (f fakeAccounts) edit(by Actor, name, action string, fn func(*fleet.Account) (keep bool, err error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.accounts[name]
	if !ok {
		return fmt.Errorf("account %q: %w", name, ErrNotFound)
	}
	was := a.Role
	keep, err := fn(&a)
	if err != nil {
		return err
	}
	if was == fleet.RoleAdministrator && (!keep || a.Role != was) {
		others := 0
		for _, o := range f.accounts {
			if o.Name != name && o.Role == fleet.RoleAdministrator {
				others++
			}
		}
		if others == 0 {
			return &Refused{Reason: "This is the last administrator: make another one first."}
		}
	}
	f.accounts[name] = a
	if !keep {
		delete(f.accounts, name)
	}
	f.note(by, action, name, "ok")
	f.tell(Change{Kind: ChangeAccess})
	return nil
}

func (f fakeAccounts) SetRole(_ context.Context, by Actor, name string, role fleet.Role) error {
	if !role.Includes(fleet.RoleViewer) {
		return &FieldError{Field: "role", Detail: "Use viewer, technician or administrator."}
	}
	return f.edit(by, name, "account.role", func(a *fleet.Account) (bool, error) {
		a.Role = role
		return true, nil
	})
}

func (f fakeAccounts) SetPassword(_ context.Context, by Actor, name, password string) error {
	if len(password) < 10 {
		return &FieldError{Field: "password", Detail: "Use at least 10 characters."}
	}
	return f.edit(by, name, "account.password", func(a *fleet.Account) (bool, error) {
		f.passwords[name] = password
		for cookie, s := range f.sessions {
			if s.Account == name {
				delete(f.sessions, cookie)
			}
		}
		return true, nil
	})
}

func (f fakeAccounts) SetBreakGlass(_ context.Context, by Actor, name string, on bool) error {
	return f.edit(by, name, "account.break-glass", func(a *fleet.Account) (bool, error) {
		if a.BreakGlass && !on && f.settings["console.local"] == "off" {
			return true, &Refused{Reason: "This would lock out the administrators: this is the last break-glass administrator."}
		}
		a.BreakGlass = on
		return true, nil
	})
}

func (f fakeAccounts) Remove(_ context.Context, by Actor, name string) error {
	return f.edit(by, name, "account.removed", func(*fleet.Account) (bool, error) { return false, nil })
}

// --- tokens -----------------------------------------------------------------------

type fakeTokens struct{ *fake }

func (f fakeTokens) of(kind fleet.TokenKind) ([]fleet.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.tokens), func(t fleet.Token) bool { return t.Kind != kind }), nil
}

func (f fakeTokens) Scripts(context.Context) ([]fleet.Token, error) { return f.of(fleet.TokenAPI) }
func (f fakeTokens) Devices(context.Context) ([]fleet.Token, error) { return f.of(fleet.TokenDevice) }

func (f fakeTokens) Add(_ context.Context, by Actor, name string, role fleet.Role, life time.Duration) (string, fleet.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case name == "" || strings.ContainsAny(name, " /"):
		return "", fleet.Token{}, &FieldError{Field: "name", Detail: "Use 1 to 64 letters a to z, digits, and . _ @ -"}
	case life < time.Minute || life > 366*24*time.Hour:
		return "", fleet.Token{}, &FieldError{Field: "ttl", Detail: "Use a time between one minute and 366 days."}
	case slices.ContainsFunc(f.tokens, func(t fleet.Token) bool { return t.Name == name }):
		return "", fleet.Token{}, &Refused{Reason: "This name is taken."}
	}
	t := fleet.Token{ID: strings.ToLower(rand.Text()[:12]), Kind: fleet.TokenAPI, Name: name, Role: role, CreatedAt: f.now(), ExpiresAt: f.now().Add(life)}
	f.tokens = append(f.tokens, t)
	f.note(by, "token.added", name, "ok")
	f.tell(Change{Kind: ChangeAccess})
	return "swa_3q9Jt0LwXn2vRb7yKcM5dPzAe8HfUg1sTiQoVxYkNjE", t, nil
}

func (f fakeTokens) RevokeScript(_ context.Context, by Actor, id string) error {
	return f.revoke(by, id, fleet.TokenAPI)
}

func (f fakeTokens) RevokeDevice(_ context.Context, by Actor, id string) error {
	return f.revoke(by, id, fleet.TokenDevice)
}

func (f fakeTokens) revoke(by Actor, id string, kind fleet.TokenKind) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.tokens)
	f.tokens = slices.DeleteFunc(f.tokens, func(t fleet.Token) bool { return t.ID == id && t.Kind == kind })
	if len(f.tokens) == before {
		return ErrNotFound
	}
	f.note(by, "token.revoked", id, "ok")
	f.tell(Change{Kind: ChangeAccess})
	return nil
}

// furnishAccounts adds colleagues of every kind.
func (f *fake) furnishAccounts(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range []fleet.Account{
		{Name: "bert", Role: fleet.RoleTechnician, CreatedAt: now.Add(-200 * 24 * time.Hour), CreatedBy: "anna", LastSeen: now.Add(-26 * time.Hour)},
		{Name: "envelope", Role: fleet.RoleAdministrator, BreakGlass: true, CreatedAt: now.Add(-90 * 24 * time.Hour), CreatedBy: "anna"},
		{Name: "mia.koch", Role: fleet.RoleTechnician, Issuer: "https://login.contoso.example/v2.0", Subject: "7f31", CreatedAt: now.Add(-30 * 24 * time.Hour), LastSeen: now.Add(-12 * time.Minute)},
	} {
		f.accounts[a.Name] = a
	}
}
