// Package clientcert checks client certificates of installed systems against the
// configured authorities: chain, validity, purpose, revocation, names.
//
// What is asked of a certificate: a chain to the pool (RFC 5280 section 6.1, as
// crypto/x509 carries it out), the purpose client authentication written in it,
// keys and signatures of today's strength, a current revocation list of every
// authority of the chain as soon as any list is configured, and one of the rules.
package clientcert

import (
	"context"
	"crypto/x509"
	"log/slog"
	"slices"
	"time"

	"slipway/fleet"
)

// Options of a Verifier.
type Options struct {
	Dir    string           // where fetched revocation lists are kept; empty: in memory only
	Now    func() time.Time // time.Now
	Logger *slog.Logger
}

// Verifier checks certificates and keeps revocation lists fresh. It is safe for
// concurrent use.
type Verifier struct {
	now     func() time.Time
	log     *slog.Logger
	parsed  parsed
	fetcher *fetcher
}

// New returns a verifier. Call Run to keep lists fresh.
func New(o Options) *Verifier {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Verifier{now: o.Now, log: o.Logger, fetcher: newFetcher(o)}
}

// Verify checks the chain that a client showed, leaf first; that the client holds
// the leaf's key is for the TLS handshake to prove. A revocation list that is
// missing is fetched meanwhile. Errors: *RefusedError; the identity is what the
// certificate says of itself then, empty without one.
func (v *Verifier) Verify(ctx context.Context, s fleet.CertificateSignIn, chain []*x509.Certificate) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, refused(ReasonNone)
	}
	id := identify(chain[0])
	if isAgents(chain[0]) {
		return id, refused(ReasonNone)
	}
	if err := bounded(chain); err != nil {
		return id, err
	}
	pool, uploaded, err := v.parsed.get(s)
	if err != nil {
		v.log.WarnContext(ctx, "certificate sign-in: the settings cannot be used", "error", err)
		return id, refused(ReasonSettings)
	}
	now := v.now()
	chains, err := pool.chains(chain, now)
	if err != nil {
		return id, err
	}
	lists := revocation{lists: uploaded, configured: len(uploaded) > 0}
	if s.CRLURL != "" {
		fetched, err := v.fetcher.lists(ctx, s.CRLURL, pool)
		lists = revocation{lists: slices.Concat(fetched, uploaded), configured: true, fetch: err}
	}
	if err := firstGood(chains, func(chain []*x509.Certificate) error { return lists.check(chain, now) }); err != nil {
		return id, err
	}
	if !anyRule(s.Rules, chain[0]) {
		return id, refused(ReasonNoRule)
	}
	return id, nil
}

// firstGood is nil when one of the chains passes, else the first one's error.
func firstGood(chains [][]*x509.Certificate, check func([]*x509.Certificate) error) error {
	var first error
	for _, c := range chains {
		err := check(c)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}
