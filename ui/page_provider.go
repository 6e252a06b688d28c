package ui

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"slipway/ui/internal/view"
)

// providerCookie keeps a sign-in that is under way at the provider: what the
// backend gave, a dot, and where to go afterwards.
const providerCookie = "__Host-slipway-provider"

// providerTime is how long somebody may take at the provider.
const providerTime = 10 * time.Minute

// beginProvider sends the browser to the OpenID provider.
func (c *Console) beginProvider(v *visit) error {
	switch {
	case v.r.Method != http.MethodGet:
		return ErrNotFound // a HEAD begins nothing
	case v.setup:
		return elsewhere("/setup")
	case v.signedIn():
		return elsewhere(ownPath(v.query("next")))
	}
	next := ownPath(v.query("next"))
	redirect, cookie, err := c.backend.Sessions.BeginProvider(v.ctx(), v.from, "https://"+v.r.Host)
	if err != nil {
		return c.providerProblem(v, next, err)
	}
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("the provider's address cannot be used: " + redirect)
	}
	if len(next) > 1024 {
		next = "/" // a cookie has its limits
	}
	value := cookie + "." + base64.RawURLEncoding.EncodeToString([]byte(next))
	setCookie(v.w, providerCookie, value, c.now().Add(providerTime))
	http.Redirect(v.w, v.r, redirect, http.StatusSeeOther)
	return nil
}

// finishProvider takes the browser back. That it is the same browser and the
// same sign-in is for the backend to check, by the cookie and the state in the
// address; here only a page that a person sees in a window of its own goes on.
func (c *Console) finishProvider(v *visit) error {
	dest, mode := v.r.Header.Get("Sec-Fetch-Dest"), v.r.Header.Get("Sec-Fetch-Mode")
	if v.r.Method != http.MethodGet || dest != "" && dest != "document" || mode != "" && mode != "navigate" {
		return ErrNotFound
	}
	if v.setup {
		return elsewhere("/setup")
	}
	kept := ""
	if cookie, err := v.r.Cookie(providerCookie); err == nil {
		kept = cookie.Value
	}
	setCookie(v.w, providerCookie, "", c.now()) // good for one answer
	next := "/"
	if dot := strings.LastIndexByte(kept, '.'); dot >= 0 {
		if raw, err := base64.RawURLEncoding.DecodeString(kept[dot+1:]); err == nil {
			next = ownPath(string(raw))
		}
		kept = kept[:dot]
	}
	if kept == "" {
		return c.providerProblem(v, next, ErrLate)
	}
	value, _, err := c.backend.Sessions.FinishProvider(v.ctx(), v.from, v.r.URL.Query(), kept)
	if err != nil {
		return c.providerProblem(v, next, err)
	}
	if err := c.begin(v, value); err != nil {
		return err
	}
	return elsewhere(next)
}

// providerProblem shows the sign-in page with what went wrong.
func (c *Console) providerProblem(v *visit, next string, err error) error {
	out := view.LoginView{Next: next}
	var wait *Throttled
	var refused *Refused
	var field *FieldError
	status := http.StatusForbidden
	switch {
	case errors.Is(err, ErrWrong):
		status, out.Problem = http.StatusUnauthorized, "This sign-in was not accepted. Try again; if it stays, an administrator finds the reason in the audit log."
	case errors.Is(err, ErrDenied):
		out.Problem = "The sign-in was cancelled or denied by the provider."
	case errors.Is(err, ErrRole):
		out.Problem = "You are known to the provider, but have no role in Slipway. Ask an administrator to give you one there."
	case errors.Is(err, ErrLate):
		status, out.Problem = http.StatusGone, "This sign-in took too long, or was begun in another browser. Start again."
	case errors.Is(err, ErrUnavailable):
		status, out.Problem = http.StatusServiceUnavailable, "The sign-in provider does not answer. Try again in a moment, or use a password."
	case errors.As(err, &wait):
		status, out.Problem = http.StatusTooManyRequests, waitText(wait)
		v.w.Header().Set("Retry-After", itoa(seconds(wait.RetryAfter)))
	case errors.As(err, &refused):
		out.Problem = refused.Reason
	case errors.As(err, &field): // the name this console was reached under
		status, out.Problem = http.StatusBadRequest, field.Detail
	default:
		return err
	}
	return c.login(v, status, out)
}
