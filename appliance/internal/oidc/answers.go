package oidc

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/oauth2"
)

const maxReason = 300 // characters of a provider's words

// failed forgets a provider whose answer was none, so that the next call asks
// again where its addresses are.
func (c *Clients) failed(cfg Config, p *provider, err error) error {
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrToken) {
		c.forget(cfg, p)
	}
	return err
}

// refusal says what a refused token request means: RFC 8628, section 3.5, and
// RFC 6749, section 5.2. Entra ID has authorization_declined and
// bad_verification_code besides.
func refusal(what string, err error, cfg Config, secrets ...string) error {
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) {
		return unavailable(what, err, cfg, secrets...)
	}
	switch e.ErrorCode {
	case "authorization_pending":
		return ErrPending
	case "slow_down":
		return ErrSlowDown
	case "access_denied", "authorization_declined":
		return ErrDenied
	case "expired_token", "bad_verification_code":
		return ErrExpired
	case "invalid_grant": // e.g. a code used twice, a missing verifier, conditional access
		return fmt.Errorf("%w: %s", ErrToken, said(e, cfg, secrets...))
	}
	return unavailable(what, err, cfg, secrets...)
}

// unavailable wraps what went wrong for people: bounded, on one line, and without
// our secrets, which a provider may echo.
func unavailable(what string, err error, cfg Config, secrets ...string) error {
	text := without(err.Error(), cfg, secrets...)
	var e *oauth2.RetrieveError
	switch {
	case errors.As(err, &e):
		text = said(e, cfg, secrets...)
	case strings.Contains(text, "did not match the issuer"):
		// go-oidc has no type for this one.
		text += ". Set the issuer exactly as the provider gives it"
	}
	return fmt.Errorf("%w: %s: %s", ErrUnavailable, what, text)
}

// said is what the provider gave as its reason.
func said(e *oauth2.RetrieveError, cfg Config, secrets ...string) string {
	text := "HTTP " + e.Response.Status
	if e.ErrorCode != "" {
		text = e.ErrorCode
	}
	if e.ErrorDescription != "" {
		text += ": " + e.ErrorDescription
	}
	return without(text, cfg, secrets...)
}

func without(text string, cfg Config, secrets ...string) string {
	for _, s := range append(secrets, cfg.Secret) {
		if s != "" {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return plain(text)
}

// plain is text on one line and of bounded length, for logs and screens.
func plain(text string) string { return clean(text, maxReason) }

// clean removes what cannot be seen (line ends, escapes, marks that turn the
// writing direction), makes runs of spaces one, and keeps most characters.
func clean(text string, most int) string {
	if len(text) > 16*most {
		text = text[:16*most]
	}
	text = strings.ToValidUTF8(text, "?")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || r == unicode.ReplacementChar:
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		text = strings.TrimSpace(string(r[:most])) + "…"
	}
	return text
}
