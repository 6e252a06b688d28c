package ui

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"slipway/ui/internal/view"
)

func (c *Console) showLogin(v *visit) error {
	switch {
	case v.setup:
		return elsewhere("/setup")
	case v.signedIn():
		return elsewhere(ownPath(v.query("next")))
	}
	return c.login(v, http.StatusOK, view.LoginView{Next: ownPath(v.query("next"))})
}

// login draws the form; out carries what was typed and what is wrong with it.
func (c *Console) login(v *visit, status int, out view.LoginView) error {
	provider, err := c.backend.Sessions.Provider(v.ctx())
	if err != nil {
		return err
	}
	out.Provider, out.LocalOff = provider.Name, provider.LocalOff
	return c.draw(v, status, view.Login(c.bare(v, "Sign in"), out))
}

func (c *Console) doLogin(v *visit) error {
	if v.setup {
		return elsewhere("/setup")
	}
	name, next := strings.TrimSpace(v.form("name")), ownPath(v.form("next"))
	err := c.signIn(v, name, v.form("password"))
	if err == nil {
		return elsewhere(next)
	}
	form := view.LoginView{Name: name, Next: next}
	status := http.StatusUnauthorized
	var wait *Throttled
	switch {
	case errors.Is(err, ErrWrong):
		form.Problem = "Name or password not accepted."
	case errors.As(err, &wait):
		status, form.Problem = http.StatusTooManyRequests, waitText(wait)
		v.w.Header().Set("Retry-After", itoa(seconds(wait.RetryAfter)))
	default:
		return err
	}
	form.Typed = true
	return c.login(v, status, form)
}

// signIn starts a session; a session the browser had before ends.
func (c *Console) signIn(v *visit, name, password string) error {
	value, _, err := c.backend.Sessions.SignIn(v.ctx(), v.from, name, password)
	if err != nil {
		return err
	}
	return c.begin(v, value)
}

// begin gives the browser its new session. The cookie names no end: use prolongs the
// session, and the browser must not drop it before.
func (c *Console) begin(v *visit, value string) error {
	if old, err := v.r.Cookie(sessionCookie); err == nil && old.Value != value {
		if err := c.backend.Sessions.SignOut(v.ctx(), old.Value); err != nil {
			return err
		}
	}
	setCookie(v.w, sessionCookie, value, time.Time{})
	return nil
}

func (c *Console) doLogout(v *visit) error {
	if cookie, err := v.r.Cookie(sessionCookie); err == nil {
		if err := c.backend.Sessions.SignOut(v.ctx(), cookie.Value); err != nil {
			return err
		}
	}
	setCookie(v.w, sessionCookie, "", c.now())
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	return elsewhere("/login")
}
