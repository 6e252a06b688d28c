// Package clientcert checks client certificates of installed systems against the
// configured authorities: chain, validity, purpose, revocation, names.
package clientcert

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"slipway/fleet"
)

// RefusedError says why a certificate is not accepted. The reason is for the audit
// log, never for the client.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Identity is who a certificate names.
type Identity struct {
	Name        string // common name, else the first name there is
	Serial      string // hex
	Fingerprint string // hex SHA-256
}

// Options of a Verifier.
type Options struct {
	Dir    string           // where fetched revocation lists are kept
	Now    func() time.Time // time.Now
	Logger *slog.Logger
}

// Verifier checks certificates and keeps revocation lists fresh. It is safe for
// concurrent use.
type Verifier struct{}

// New returns a verifier. Call Run to keep lists fresh.
func New(o Options) *Verifier { return &Verifier{} }

// Verify checks the chain that a client showed, leaf first. Errors: *RefusedError.
func (v *Verifier) Verify(ctx context.Context, s fleet.CertificateSignIn, chain []*x509.Certificate) (Identity, error) {
	return Identity{}, &RefusedError{Reason: "not implemented"}
}

// Check looks whether the settings can be used, for the test button.
func (v *Verifier) Check(ctx context.Context, s fleet.CertificateSignIn) (lines []string, err error) {
	return nil, nil
}

// Run fetches revocation lists again before they run out, until ctx ends.
// settings gives those in force.
func (v *Verifier) Run(ctx context.Context, settings func() (fleet.CertificateSignIn, error)) error {
	<-ctx.Done()
	return nil
}
