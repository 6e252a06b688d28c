package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"slipway/appliance/internal/oidc"
	"slipway/fleet"
)

// consoleCallback is the console's path that the provider sends browsers back to.
const consoleCallback = "/login/callback"

// ConsoleProvider is the name on the button that signs people in at the console
// with an OpenID provider; empty when none is configured.
func (s *Service) ConsoleProvider(ctx context.Context) (string, error) {
	v, err := s.SignInSettings(ctx)
	switch {
	case err != nil || !v.Console.Enabled:
		return "", err
	case v.Console.Name == "":
		return hostOf(v.Console.Issuer), nil
	}
	return v.Console.Name, nil
}

// BeginConsole starts a sign-in at the provider. origin is the console's, as the
// browser names it; the settings may name another. The browser keeps cookie until
// it comes back, at most visitLasts. Errors: ErrNotAllowed when there is no
// provider, *ThrottledError, ErrProvider, *InvalidError for the origin.
func (s *Service) BeginConsole(ctx context.Context, origin string, caller Caller) (redirect, cookie string, err error) {
	v, err := s.SignInSettings(ctx)
	if err != nil {
		return "", "", err
	}
	if !v.Console.Enabled {
		return "", "", ErrNotAllowed
	}
	if v.Console.URL != "" {
		origin = v.Console.URL
	}
	if err := checkOrigin(origin); err != nil {
		return "", "", &InvalidError{Field: "origin", Detail: err.Error()}
	}
	if held := s.visits.starts.begin(newSubject(caller, fleet.Claim{}), s.now()); held != nil {
		s.refuseSignIn(ctx, "", caller, "throttled: "+held.Scope)
		return "", "", held
	}
	cfg, err := s.providerConfig(consoleProvider(v.Console), purposeConsoleSecret)
	if err != nil {
		return "", "", s.noConsoleProvider(ctx, caller, err)
	}
	visit := &visit{
		nonce: newSecret(""), verifier: oidc.NewVerifier(),
		redirect: strings.TrimSuffix(origin, "/") + consoleCallback,
		issuer:   cfg.Issuer, clientID: cfg.ClientID,
		addr: plainAddr(caller.Addr).String(), started: s.now(),
	}
	state, cookie := newSecret(""), newSecret("")
	visit.key, visit.cookie = hashOf(state), hashOf(cookie)
	redirect, err = s.providers.AuthCodeURL(ctx, cfg, visit.redirect, state, visit.nonce, visit.verifier)
	if err != nil {
		return "", "", s.noConsoleProvider(ctx, caller, err)
	}
	s.visits.add(visit)
	return redirect, cookie, nil
}

// noConsoleProvider notes why the provider cannot be used.
func (s *Service) noConsoleProvider(ctx context.Context, caller Caller, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // nobody waits for it any more
	}
	s.log.WarnContext(ctx, "the console's sign-in provider cannot be used", "error", err)
	s.refuseSignIn(ctx, "", caller, err.Error())
	return ErrProvider
}

// FinishConsole ends it: query is that of the address the browser came back to.
// The account of the person is made or brought up to date, its role by claim.
// Errors: ErrWrong, ErrRole, ErrDenied, ErrCodeExpired, ErrProvider.
func (s *Service) FinishConsole(ctx context.Context, query url.Values, cookie string, caller Caller) (session string, sess fleet.Session, err error) {
	refuse := func(reason string, answer error) (string, fleet.Session, error) {
		s.refuseSignIn(ctx, "", caller, reason)
		return "", fleet.Session{}, answer
	}
	settings, err := s.SignInSettings(ctx)
	if err != nil {
		return "", fleet.Session{}, err
	}
	c := settings.Console
	visit := s.visits.take(query.Get("state"))
	code, reason, err := visit.answer(query, cookie, c, s.now())
	if err != nil {
		return refuse(reason, err)
	}
	cfg, err := s.providerConfig(consoleProvider(c), purposeConsoleSecret)
	if err != nil {
		return "", fleet.Session{}, s.noConsoleProvider(ctx, caller, err)
	}
	person, err := s.providers.Exchange(ctx, cfg, visit.redirect, code, visit.nonce, visit.verifier)
	switch {
	case errors.Is(err, oidc.ErrDenied):
		return refuse("denied", ErrDenied)
	case errors.Is(err, oidc.ErrToken):
		return refuse(err.Error(), ErrWrong)
	case err != nil:
		return "", fleet.Session{}, s.noConsoleProvider(ctx, caller, err)
	}
	return s.signInPerson(ctx, c, person, caller)
}

// answer looks at what a browser came back with, and returns the code to redeem, or
// why there is none: for the audit log, and for the person.
func (v *visit) answer(query url.Values, cookie string, c fleet.ConsoleSignIn, now time.Time) (code, reason string, err error) {
	switch {
	case v == nil:
		return "", "no such sign-in at the provider is under way: used already, too late, or begun before a restart", ErrCodeExpired
	case !v.by(cookie):
		return "", "another browser began this sign-in", ErrWrong
	case v.over(now):
		return "", "the sign-in at the provider took too long", ErrCodeExpired
	case !c.Enabled || c.Issuer != v.issuer || c.ClientID != v.clientID:
		return "", "the settings were changed", ErrCodeExpired
	case query.Has("iss") && query.Get("iss") != v.issuer: // RFC 9207
		return "", "the answer is from another provider", ErrWrong
	case query.Has("error"):
		reason, err := consoleRefusal(query.Get("error"))
		return "", reason, err
	case query.Get("code") == "":
		return "", "the provider sent no code", ErrWrong
	}
	return query.Get("code"), "", nil
}

// consoleErrors are the errors that a provider may send a browser back with
// (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6). Whatever
// else stands there may be of the browser's making, and is not written down.
var consoleErrors = []string{
	"access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
	"invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable",
}

func consoleRefusal(code string) (reason string, answer error) {
	switch i := slices.Index(consoleErrors, code); {
	case i < 0:
		return "the provider sent the browser back with an error", ErrProvider
	case i < 5:
		return "denied: " + code, ErrDenied
	}
	return fmt.Sprintf("the provider sent the browser back: %s", code), ErrProvider
}
