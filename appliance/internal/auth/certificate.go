package auth

import (
	"context"
	"time"

	"slipway/fleet"
)

// SignInCertificate signs in an installed OS by the certificate of its connection
// (Caller.Certificates). Errors: ErrNotAllowed when it is not offered here,
// ErrWrong for every certificate that is not accepted; the audit entry has the
// reason.
func (s *Service) SignInCertificate(ctx context.Context, environment string, claim fleet.Claim, caller Caller) (token string, expires time.Time, err error) {
	return "", time.Time{}, ErrNotAllowed
}
