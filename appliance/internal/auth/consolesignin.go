package auth

import (
	"context"
	"net/url"

	"slipway/fleet"
)

// ConsoleProvider is the name on the button that signs people in at the console
// with an OpenID provider; empty when none is configured.
func (s *Service) ConsoleProvider(ctx context.Context) (string, error) { return "", nil }

// BeginConsole starts a sign-in at the provider. origin is the console's, as the
// browser names it. The browser keeps cookie until it comes back.
func (s *Service) BeginConsole(ctx context.Context, origin string, caller Caller) (redirect, cookie string, err error) {
	return "", "", ErrNotAllowed
}

// FinishConsole ends it: query is that of the address the browser came back to.
// The account of the person is made or brought up to date, its role by claim.
// Errors: ErrWrong, ErrRole, ErrDenied, ErrCodeExpired, ErrProvider.
func (s *Service) FinishConsole(ctx context.Context, query url.Values, cookie string, caller Caller) (session string, sess fleet.Session, err error) {
	return "", fleet.Session{}, ErrNotAllowed
}
