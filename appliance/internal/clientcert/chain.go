package clientcert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits of what a client may show. crypto/x509 checks 100 signatures at most for
// one chain.
const (
	maxShown     = 8        // certificates
	maxShownSize = 32 << 10 // bytes of one
	maxKeyBits   = 8192     // of an RSA key
	maxChains    = 8        // ways to the pool that are looked at
	dateForm     = time.RFC3339
)

// bounded refuses what would cost too much to look at.
func bounded(chain []*x509.Certificate) error {
	if len(chain) > maxShown {
		return refused(ReasonTooMuch)
	}
	for _, c := range chain {
		if k, ok := c.PublicKey.(*rsa.PublicKey); len(c.Raw) > maxShownSize || ok && k.N.BitLen() > maxKeyBits {
			return refused(ReasonTooMuch)
		}
	}
	return nil
}

// chains finds the ways from what a client showed to the pool that hold now, leaf
// first; those that can be forged are none. The error is a *RefusedError.
func (p *pool) chains(shown []*x509.Certificate, now time.Time) ([][]*x509.Certificate, error) {
	leaf := shown[0]
	chains, err := p.build(shown, now)
	if err != nil {
		return nil, p.explain(err, shown, now)
	}
	if leaf.IsCA {
		return nil, refused(ReasonIsAuthority)
	}
	// RFC 5280 section 4.2.1.12 lets whoever needs a purpose insist on it.
	// crypto/x509 also takes a leaf without any purpose, and one for any purpose:
	// both were not made to sign in with.
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return nil, refused(ReasonPurpose)
	}
	chains = chains[:min(len(chains), maxChains)]
	if err := firstGood(chains, strong); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(chains, func(c []*x509.Certificate) bool { return strong(c) != nil }), nil
}

// build asks crypto/x509, with what the client showed as possible intermediates.
func (p *pool) build(shown []*x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	between := x509.NewCertPool()
	for _, c := range p.intermediates {
		between.AddCert(c)
	}
	for _, c := range shown[1:] {
		if c.IsCA {
			between.AddCert(c)
		}
	}
	return shown[0].Verify(x509.VerifyOptions{
		Roots: p.roots, Intermediates: between, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// explain finds the reason behind an error of crypto/x509.
func (p *pool) explain(err error, shown []*x509.Certificate, now time.Time) *RefusedError {
	leaf := shown[0]
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert == leaf {
		return p.explainTime(shown, now)
	}
	var unknown x509.UnknownAuthorityError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &unknown):
		if c := p.weaklySigned(shown); c != nil {
			return refusedFor(ReasonWeak, "it is signed with %s", c.SignatureAlgorithm)
		}
		return refused(ReasonUnknown)
	case errors.As(err, &critical):
		return refused(ReasonNotUnderstood)
	case !errors.As(err, &invalid):
		return refused(ReasonUnknown) // among them: too many signatures to check
	}
	switch invalid.Reason {
	case x509.Expired:
		return refusedFor(ReasonAuthority, "%s, valid from %s to %s",
			plain(subjectName(invalid.Cert)), invalid.Cert.NotBefore.UTC().Format(dateForm), invalid.Cert.NotAfter.UTC().Format(dateForm))
	case x509.IncompatibleUsage:
		return refused(ReasonPurpose)
	}
	return refused(ReasonNotAllowed)
}

// explainTime is for a leaf outside its time. Whether the pool knows its authority
// is found out at a time when the leaf was valid: a stranger's certificate is
// unknown, not expired.
func (p *pool) explainTime(shown []*x509.Certificate, now time.Time) *RefusedError {
	leaf := shown[0]
	reason, moment := ReasonExpired, leaf.NotAfter
	if now.Before(leaf.NotBefore) {
		reason, moment = ReasonNotYet, leaf.NotBefore
	}
	_, err := p.build(shown, moment)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) || leaf.NotAfter.Before(leaf.NotBefore) {
		return refused(ReasonUnknown)
	}
	return refusedFor(reason, "valid from %s to %s", leaf.NotBefore.UTC().Format(dateForm), leaf.NotAfter.UTC().Format(dateForm))
}

// weaklySigned finds a certificate that names a known authority as its issuer and
// is signed by an algorithm that crypto/x509 does not take (SHA-1, MD5).
func (p *pool) weaklySigned(shown []*x509.Certificate) *x509.Certificate {
	for _, c := range shown {
		known := slices.ContainsFunc(slices.Concat(p.all, shown[1:]), func(a *x509.Certificate) bool {
			return !a.Equal(c) && bytes.Equal(a.RawSubject, c.RawIssuer)
		})
		if known && weakSignature(c) {
			return c
		}
	}
	return nil
}

// strong refuses chains with keys or signatures that can be forged. The signature
// of the last certificate proves nothing and is not looked at.
func strong(chain []*x509.Certificate) error {
	for i, c := range chain {
		if why := weakKey(c); why != "" {
			return refusedFor(ReasonWeak, "%s", why)
		}
		if i < len(chain)-1 && weakSignature(c) {
			return refusedFor(ReasonWeak, "it is signed with %s", c.SignatureAlgorithm)
		}
	}
	return nil
}

func weakSignature(c *x509.Certificate) bool { return weakAlgorithm(c.SignatureAlgorithm) }

func weakAlgorithm(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		return true
	}
	return false
}

// weakKey says why a key is too weak, or "". The bounds are those of NIST SP
// 800-57 part 1 for 112 bits of strength; curves below P-256 are in no use.
func weakKey(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 {
			return fmt.Sprintf("RSA key of %d bits (2048 at least)", n)
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n < 256 {
			return fmt.Sprintf("ECDSA key of %d bits (256 at least)", n)
		}
	case ed25519.PublicKey:
	default:
		return "key of the kind " + c.PublicKeyAlgorithm.String() + " (use ECDSA, RSA or Ed25519)"
	}
	return ""
}
