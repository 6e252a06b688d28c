package clientcert

import (
	"crypto/x509"
	"time"
)

// revocation is what is known of revoked certificates. As soon as any list is
// configured it fails closed: every authority of a chain needs a current one. Whoever
// has none of the root uploads the issuing authority alone, which then ends the chain.
type revocation struct {
	lists      []*list
	configured bool
	fetch      error // why the list behind the URL is not here, or not fresh
}

// check looks at a chain that was built, leaf first. The error is a *RefusedError.
func (r revocation) check(chain []*x509.Certificate, now time.Time) error {
	if !r.configured {
		return nil
	}
	// Revoked is said before anything else: it is so also in a list of yesterday.
	for i, c := range chain[:len(chain)-1] {
		for _, l := range r.lists {
			if !l.holds(c) || !l.signedBy(chain[i+1]) {
				continue
			}
			if i > 0 {
				return refusedFor(ReasonRevoked, "its authority %s", plain(subjectName(c)))
			}
			return refused(ReasonRevoked)
		}
	}
	for _, authority := range chain[1:] {
		if err := r.covers(authority, now); err != nil {
			return err
		}
	}
	return nil
}

// covers wants a current list of the authority.
func (r revocation) covers(authority *x509.Certificate, now time.Time) error {
	name := plain(subjectName(authority))
	worst := refusedFor(ReasonListMissing, "there is none of %s%s", name, r.because())
	for _, l := range r.lists {
		switch {
		case !l.by(authority):
		case !l.signedBy(authority):
			worst = refusedFor(ReasonListSignature, "%s", name)
		case l.current(now):
			return nil
		case now.Before(l.crl.ThisUpdate):
			worst = refusedFor(ReasonListNotYet, "that of %s begins at %s", name, l.crl.ThisUpdate.UTC().Format(dateForm))
		default:
			worst = refusedFor(ReasonListExpired, "that of %s, the next one was due %s%s", name, l.crl.NextUpdate.UTC().Format(dateForm), r.because())
		}
	}
	return worst
}

func (r revocation) because() string {
	if r.fetch == nil {
		return ""
	}
	return "; " + short(r.fetch)
}
