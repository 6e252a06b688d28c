package clientcert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"strings"
	"unicode"
)

// Identity is who a certificate names.
type Identity struct {
	Name        string // common name, else the first name there is
	Serial      string // hex
	Issuer      string // the issuer's name in short
	Fingerprint string // hex SHA-256
}

// maxName is the longest name kept, in characters.
const maxName = 120

func identify(c *x509.Certificate) Identity {
	sum := sha256.Sum256(c.Raw)
	return Identity{
		Name: nameOf(c), Serial: serialText(c.SerialNumber), Issuer: plain(issuerName(c)), Fingerprint: hex.EncodeToString(sum[:]),
	}
}

// nameOf is the name that people know the certificate by.
func nameOf(c *x509.Certificate) string {
	names := []string{c.Subject.CommonName}
	names = append(names, c.DNSNames...)
	names = append(names, c.EmailAddresses...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	names = append(names, c.Subject.String())
	for _, n := range names {
		if n = plain(n); n != "" {
			return n
		}
	}
	return "serial " + serialText(c.SerialNumber)
}

// subjectName names an authority: its common name, else the whole.
func subjectName(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return "CN=" + c.Subject.CommonName
	}
	return c.Subject.String()
}

func issuerName(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return "CN=" + c.Issuer.CommonName
	}
	return c.Issuer.String()
}

// serialText is a serial number in hex. RFC 5280 section 4.1.2.2 allows 20 bytes;
// what is longer is cut.
func serialText(n *big.Int) string {
	if n == nil {
		return ""
	}
	if n.BitLen() > 20*8 {
		return new(big.Int).Rsh(n, uint(n.BitLen()-20*8)).Text(16) + "…"
	}
	return n.Text(16)
}

// plain makes a name harmless to show and short enough to keep.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > maxName {
		s = string(r[:maxName]) + "…"
	}
	return s
}

// agentName is in the certificate that an agent makes for its own key when it has
// none of the machine's.
const agentName = "slipway agent"

// isAgents reports whether c is an agent's own certificate: it proves a key, and
// names nobody.
func isAgents(c *x509.Certificate) bool {
	return c.Subject.CommonName == agentName && bytes.Equal(c.RawSubject, c.RawIssuer)
}
