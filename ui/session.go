package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Cookie names. The __Host- prefix makes browsers refuse them unless they are
// Secure, for the whole host and set by that host itself.
const (
	sessionCookie = "__Host-slipway-session"
	formCookie    = "__Host-slipway-form" // ties the forms before sign-in to this browser
	themeCookie   = "__Host-slipway-theme"
)

var errForm = errors.New("the form was not sent from this console, or is too old")
var errTooLarge = errors.New("too large")

// setCookie sets a cookie until expires; the zero time: as long as the browser runs.
func setCookie(w http.ResponseWriter, name, value string, expires time.Time) {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Expires: expires, // Lax: a link in a mail opens signed in
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// formToken is the token for forms before sign-in: the value of a cookie that
// no other site can set or read.
func formToken(v *visit) string {
	if c, err := v.r.Cookie(formCookie); err == nil && len(c.Value) == 26 {
		return c.Value
	}
	token := rand.Text()
	if v.r.Method == http.MethodGet {
		http.SetCookie(v.w, &http.Cookie{Name: formCookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	return token
}

// guardForm lets a POST through only from our own pages: the browser says so
// (Sec-Fetch-Site, else Origin), and the form carries the visitor's token.
func (c *Console) guardForm(r route, v *visit) error {
	if err := c.origin.Check(v.r); err != nil {
		return errForm
	}
	limit := r.body
	if limit == 0 {
		limit = formLimit
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, limit)
	var err error
	if strings.HasPrefix(v.r.Header.Get("Content-Type"), "multipart/form-data") {
		err = v.r.ParseMultipartForm(limit)
	} else {
		err = v.r.ParseForm()
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case err != nil:
		return errForm
	case v.csrf == "" || subtle.ConstantTimeCompare([]byte(v.form("csrf")), []byte(v.csrf)) != 1:
		return errForm
	}
	return nil
}

// tokenHeader carries the token where the body is no form.
const tokenHeader = "Slipway-Csrf"

// guardRaw is guardForm for requests that our own modules make.
func (c *Console) guardRaw(v *visit) error {
	if err := c.origin.Check(v.r); err != nil {
		return errForm
	}
	if v.csrf == "" || subtle.ConstantTimeCompare([]byte(v.r.Header.Get(tokenHeader)), []byte(v.csrf)) != 1 {
		return errForm
	}
	return nil
}

// loginURL leads to sign-in and back to where the visitor wanted to go.
func loginURL(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/" || r.URL.Path == "/events" {
		return "/login"
	}
	return "/login?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
}

// ownPath lets only addresses of this console through, so that a link to the
// sign-in page cannot lead away from it.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func theme(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}
