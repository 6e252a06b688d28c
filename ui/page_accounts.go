package ui

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func (c *Console) showAccounts(v *visit) error {
	return c.accounts(v, http.StatusOK, view.AccountsView{})
}

// accounts draws the page; out carries what a form brought.
func (c *Console) accounts(v *visit, status int, out view.AccountsView) error {
	p, err := c.page(v, "Accounts", "accounts", "changed:access")
	if err != nil {
		return err
	}
	if out.Accounts, err = c.backend.Accounts.List(v.ctx()); err != nil {
		return err
	}
	slices.SortFunc(out.Accounts, func(a, b fleet.Account) int { return compareText(a.Name, b.Name) })
	if out.Tokens, err = c.backend.Tokens.Scripts(v.ctx()); err != nil {
		return err
	}
	slices.SortFunc(out.Tokens, func(a, b fleet.Token) int { return compareText(a.Name, b.Name) })
	return c.draw(v, status, view.Accounts(p, out))
}

func (c *Console) addAccount(v *visit) error {
	form := view.AccountForm{Name: strings.TrimSpace(v.form("name")), Role: fleet.Role(v.form("role"))}
	err := error(&FieldError{Field: "password", Detail: "The two do not match. Type the password twice."})
	if v.form("password") == v.form("repeat") {
		err = c.backend.Accounts.Add(v.ctx(), v.actor(), form.Name, v.form("password"), form.Role)
	}
	if err == nil {
		return done(v, "/admin/accounts", "account-added")
	}
	var ok bool
	form.Errors, ok = formErrors(err, "name", "role", "password")
	if !ok {
		return err
	}
	return c.accounts(v, http.StatusUnprocessableEntity, view.AccountsView{Add: form})
}

// formErrors puts an error beside its field, or under "" when no field has it. ok
// is false for an error that is a page of its own.
func formErrors(err error, fields ...string) (map[string]string, bool) {
	field, text, _, ok := inForm(err)
	if !slices.Contains(fields, field) {
		field = ""
	}
	return map[string]string{field: text}, ok
}

func (c *Console) addToken(v *visit) error {
	form := view.TokenForm{Name: strings.TrimSpace(v.form("name")), Role: fleet.Role(v.form("role")), Life: v.form("life")}
	life, err := time.ParseDuration(form.Life)
	if err != nil {
		err = &FieldError{Field: "ttl", Detail: "Choose how long it works."}
	}
	var value string
	var token fleet.Token
	if err == nil {
		value, token, err = c.backend.Tokens.Add(v.ctx(), v.actor(), form.Name, form.Role, life)
	}
	if err == nil {
		return c.accounts(v, http.StatusOK, view.AccountsView{NewToken: value, NewTokenName: token.Name})
	}
	var ok bool
	form.Errors, ok = formErrors(err, "name", "role", "ttl")
	if !ok {
		return err
	}
	return c.accounts(v, http.StatusUnprocessableEntity, view.AccountsView{AddToken: form})
}

// revokeToken ends an API token.
func (c *Console) revokeToken(v *visit) error {
	if err := c.backend.Tokens.RevokeScript(v.ctx(), v.actor(), v.form("token")); err != nil {
		return err
	}
	return done(v, "/admin/accounts", "token-revoked")
}

func (c *Console) showAccount(v *visit) error {
	return c.account(v, http.StatusOK, nil)
}

func (c *Console) account(v *visit, status int, errs map[string]string) error {
	a, err := c.findAccount(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	p, err := c.page(v, a.Name, "accounts", "")
	if err != nil {
		return err
	}
	return c.draw(v, status, view.Account(p, view.AccountView{A: a, Self: a.Name == v.account.Name, Errors: errs}))
}

func (c *Console) findAccount(ctx context.Context, name string) (fleet.Account, error) {
	list, err := c.backend.Accounts.List(ctx)
	if err != nil {
		return fleet.Account{}, err
	}
	i := slices.IndexFunc(list, func(a fleet.Account) bool { return a.Name == name })
	if i < 0 {
		return fleet.Account{}, ErrNotFound
	}
	return list[i], nil
}

// accountDone answers a form of an account's page: fallback is where an error
// without a field of this page stands.
func (c *Console) accountDone(v *visit, err error, fallback, notice string) error {
	if err == nil {
		return done(v, view.AccountURL(v.param("id")), notice)
	}
	field, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	if !slices.Contains([]string{"role", "password", "breakGlass", "remove"}, field) {
		field = fallback
	}
	return c.account(v, http.StatusUnprocessableEntity, map[string]string{field: text})
}

func (c *Console) setRole(v *visit) error {
	err := c.backend.Accounts.SetRole(v.ctx(), v.actor(), v.param("id"), fleet.Role(v.form("role")))
	return c.accountDone(v, err, "role", "account-role")
}

func (c *Console) setPassword(v *visit) error {
	err := error(&FieldError{Field: "password", Detail: "The two do not match. Type the password twice."})
	if v.form("password") == v.form("repeat") {
		err = c.backend.Accounts.SetPassword(v.ctx(), v.actor(), v.param("id"), v.form("password"))
	}
	if err == nil && v.param("id") == v.account.Name {
		return elsewhere("/login") // one's own sessions ended as well
	}
	return c.accountDone(v, err, "password", "account-password")
}

func (c *Console) setBreakGlass(v *visit) error {
	err := c.backend.Accounts.SetBreakGlass(v.ctx(), v.actor(), v.param("id"), v.form("on") == "yes")
	return c.accountDone(v, err, "breakGlass", "account-glass")
}

func (c *Console) removeAccount(v *visit) error {
	name := v.param("id")
	if strings.TrimSpace(v.form("confirm")) != name {
		return c.accountDone(v, &FieldError{Field: "remove", Detail: "The account was kept: type its name to confirm."}, "remove", "")
	}
	if err := c.backend.Accounts.Remove(v.ctx(), v.actor(), name); err != nil {
		return c.accountDone(v, err, "remove", "")
	}
	return done(v, "/admin/accounts", "account-removed")
}
