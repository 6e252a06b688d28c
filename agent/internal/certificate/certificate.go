// Package certificate loads the certificate and key of an installed system, which
// it signs in with: from PEM files, from a PKCS#12 file, or from Windows' machine
// store, where the key stays.
package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Options name one certificate, in one of three ways.
type Options struct {
	CertFile string // PEM, the certificate and those between it and the authority
	KeyFile  string // PEM, PKCS#1, PKCS#8 or SEC 1; empty: the key stands in CertFile

	PKCS12File   string
	Password     string // opens PKCS12File
	PasswordFile string // instead of Password: a file whose first line it is

	Store        bool   // Windows' machine store; the names alone ask for it too
	StoreSubject string // text that is part of the subject or of a DNS name; any letter case
	StoreIssuer  string // text that is part of the issuer's name

	Now  func() time.Time  // time.Now
	Warn func(text string) // what is unsafe or will not work; nil: nobody is told
}

func (o Options) store() bool { return o.Store || o.StoreSubject != "" || o.StoreIssuer != "" }

// Load loads the certificate with its chain. Errors are one line that says what to
// do; they never hold a password or parts of a key. A certificate that the
// appliance will refuse (expired, for another purpose) is loaded with a warning:
// the clock may not be set yet, and the appliance decides.
func Load(o Options) (tls.Certificate, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	c, err := load(o)
	if err != nil {
		return tls.Certificate{}, err
	}
	if why := unusable(c.Leaf, o.Now()); why != "" {
		o.Warn(fmt.Sprintf("the certificate %s %s: the appliance will refuse it", name(c.Leaf), why))
	}
	return c, nil
}

func load(o Options) (tls.Certificate, error) {
	ways := 0
	for _, given := range []bool{o.CertFile != "", o.PKCS12File != "", o.store()} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0 && o.KeyFile != "":
		return tls.Certificate{}, errors.New("a key file is given without its certificate: name the certificate file as well")
	case ways == 0:
		return tls.Certificate{}, errors.New("no certificate is named: give a PEM file, a PKCS#12 file or the machine store")
	case ways > 1:
		return tls.Certificate{}, errors.New("more than one certificate is named: give a PEM file, a PKCS#12 file or the machine store")
	case o.CertFile != "":
		return loadPEM(o)
	case o.PKCS12File != "":
		return loadPKCS12(o)
	}
	return loadStore(o)
}

// assemble puts the certificate that belongs to the key first and its chain behind
// it, whatever the order in which they came. Roots are left out: the appliance has
// its own.
func assemble(list []*x509.Certificate, key crypto.Signer) (tls.Certificate, bool) {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return tls.Certificate{}, false
	}
	i := slices.IndexFunc(list, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	if i < 0 {
		return tls.Certificate{}, false
	}
	out := tls.Certificate{PrivateKey: key, Leaf: list[i]}
	for _, c := range chainOf(list[i], list) {
		out.Certificate = append(out.Certificate, c.Raw)
	}
	return out, true
}

// maxChain is how many certificates are shown at most; the appliance takes no more.
const maxChain = 8

// chainOf is leaf and those of list that lead on from it.
func chainOf(leaf *x509.Certificate, list []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for len(chain) < maxChain {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(list, func(c *x509.Certificate) bool {
			return !selfIssued(c) && !slices.ContainsFunc(chain, c.Equal) && last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, list[i])
	}
	return chain
}

func selfIssued(c *x509.Certificate) bool { return string(c.RawSubject) == string(c.RawIssuer) }

// unusable says why the appliance will not accept a certificate, or "".
func unusable(c *x509.Certificate, now time.Time) string {
	switch {
	case now.After(c.NotAfter):
		return "has expired at " + c.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(c.NotBefore):
		return "is not valid before " + c.NotBefore.UTC().Format(time.RFC3339)
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return "is not for client authentication (extended key usage)"
	}
	return ""
}

func name(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return "with serial " + c.SerialNumber.Text(16)
}

// signer is the key as crypto/tls uses it; other kinds cannot sign.
func signer(key any) (crypto.Signer, error) {
	if s, ok := key.(crypto.Signer); ok {
		return s, nil
	}
	return nil, fmt.Errorf("it is of a kind that cannot sign (%T): use ECDSA, RSA or Ed25519", key)
}

// ecdsaSchemes is the one scheme that goes with a curve in TLS 1.3 (RFC 8446
// section 4.2.3), or nil.
func ecdsaSchemes(k *ecdsa.PublicKey) []tls.SignatureScheme {
	switch k.Curve.Params().BitSize {
	case 256:
		return []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}
	case 384:
		return []tls.SignatureScheme{tls.ECDSAWithP384AndSHA384}
	}
	return nil
}
