package auth

import (
	"context"
	"time"

	"slipway/fleet"
)

// EntraStart is a device flow that waits for a person.
type EntraStart struct {
	Session                 string // names the flow to PollEntra; a secret of the device
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string
	ExpiresIn               time.Duration
	Interval                time.Duration
}

// StartEntra begins a device flow for a device. Errors: ErrNotAllowed when Entra ID
// is not offered here, ErrProvider, *ThrottledError.
func (s *Service) StartEntra(ctx context.Context, environment string, claim fleet.Claim, caller Caller) (EntraStart, error) {
	return EntraStart{}, ErrNotAllowed
}

// PollEntra asks how a flow stands. Errors: *PendingError, ErrDenied, ErrRole,
// ErrCodeExpired (also for a session nobody knows, e.g. after a restart),
// ErrProvider, ErrBinding.
func (s *Service) PollEntra(ctx context.Context, session string, caller Caller) (token string, expires time.Time, err error) {
	return "", time.Time{}, ErrNotAllowed
}
