package clientcert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"

	"slipway/fleet"
)

// Limits of what is uploaded; they fit into one record of the state together.
const (
	maxPoolText       = 256 << 10 // bytes of PEM
	maxPool           = 64        // authorities
	maxCRLText        = 512 << 10 // bytes; longer lists come by a URL
	maxSettingsErrors = 200       // characters of a parser's own words
)

// pool is the configured authorities. One that is signed by another one of the
// pool is an intermediate: it is accepted through that one only, so that it can be
// revoked. Every other one is an end of chains, also an issuing authority whose
// root was not uploaded.
type pool struct {
	all           []*x509.Certificate
	roots         *x509.CertPool
	intermediates []*x509.Certificate
}

// ValidatePool says what is wrong with the PEM of the authorities. It does not
// look at the clock: Check does.
func ValidatePool(text string) error {
	_, err := parsePool(text)
	return err
}

func parsePool(text string) (*pool, error) {
	if len(text) > maxPoolText {
		return nil, fmt.Errorf("the authorities are larger than %d KiB: leave out those that sign no client certificates", maxPoolText>>10)
	}
	p := &pool{roots: x509.NewCertPool()}
	for rest := []byte(text); len(bytes.TrimSpace(rest)) > 0; {
		block, after := pem.Decode(rest)
		if err := onlyCertificates(block); err != nil {
			return nil, err
		}
		rest = after
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %s", len(p.all)+1, short(err))
		}
		if err := isAuthority(c); err != nil {
			return nil, fmt.Errorf("certificate %d (%s) %w", len(p.all)+1, plain(subjectName(c)), err)
		}
		if p.add(c); len(p.all) > maxPool {
			return nil, fmt.Errorf("at most %d authorities are taken", maxPool)
		}
	}
	if len(p.all) == 0 {
		return nil, errors.New("no authority is configured: upload the certificates (PEM) of those that sign client certificates")
	}
	p.sort()
	return p, nil
}

func onlyCertificates(b *pem.Block) error {
	switch {
	case b == nil:
		return errors.New("use PEM certificates only (-----BEGIN CERTIFICATE-----)")
	case strings.Contains(b.Type, "PRIVATE KEY"):
		return errors.New("there is a private key among the certificates: take it out, it must not leave its owner")
	case b.Type != "CERTIFICATE":
		return fmt.Errorf("there is a %s among the certificates: use PEM certificates only (-----BEGIN CERTIFICATE-----)", strings.ToLower(plain(b.Type)))
	}
	return nil
}

// isAuthority wants a certificate that may sign others (RFC 5280 sections 4.2.1.3
// and 4.2.1.9) with a strong key.
func isAuthority(c *x509.Certificate) error {
	switch {
	case !c.BasicConstraintsValid || !c.IsCA:
		return errors.New("is no authority: upload the certificate of the one that signed it")
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("may not sign certificates (key usage)")
	case len(c.UnhandledCriticalExtensions) > 0:
		return errors.New("has a critical extension that is not understood")
	}
	if why := weakKey(c); why != "" {
		return errors.New("is too weak: " + why)
	}
	return nil
}

func (p *pool) add(c *x509.Certificate) {
	for _, have := range p.all {
		if have.Equal(c) {
			return
		}
	}
	p.all = append(p.all, c)
}

// sort tells the ends of chains from those between.
func (p *pool) sort() {
	for _, c := range p.all {
		if p.issuerOf(c) != nil {
			p.intermediates = append(p.intermediates, c)
		} else {
			p.roots.AddCert(c)
		}
	}
}

// issuerOf is the other authority of the pool that signed c, or nil.
func (p *pool) issuerOf(c *x509.Certificate) *x509.Certificate {
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		return nil
	}
	for _, other := range p.all {
		if bytes.Equal(other.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(other) == nil {
			return other
		}
	}
	return nil
}

// parsed keeps what was made of the settings, for as long as they stay the same.
type parsed struct {
	mu       sync.Mutex
	cas, crl string
	pool     *pool
	lists    []*list
	err      error
}

func (p *parsed) get(s fleet.CertificateSignIn) (*pool, []*list, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pool == nil && p.err == nil || p.cas != s.CAs || p.crl != s.CRL {
		p.cas, p.crl = s.CAs, s.CRL
		p.pool, p.err = parsePool(s.CAs)
		p.lists = nil
		if p.err == nil && strings.TrimSpace(s.CRL) != "" {
			p.lists, p.err = parseUploaded(s.CRL)
		}
	}
	return p.pool, p.lists, p.err
}

// short is a parser's error, which may repeat much of its input, on one line.
func short(err error) string {
	s := plain(err.Error())
	if len(s) > maxSettingsErrors {
		return strings.ToValidUTF8(s[:maxSettingsErrors], "") + "…"
	}
	return s
}
