package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The server certificate is valid for 90 days, some of them before its making for
// clients whose clock is behind, and is made anew a month before its end.
const (
	leafLife      = 90 * 24 * time.Hour
	leafBackdated = 7 * 24 * time.Hour
	leafRenewed   = 30 * 24 * time.Hour
	clockSlack    = time.Hour // least distance to NotBefore after a clock was set back
)

// maxAddresses bounds the addresses in one certificate. They are those of this
// machine, so only a machine with very many comes near.
const maxAddresses = 64

// names is what a server certificate is for.
type names struct {
	dns       []string
	addresses []netip.Addr
}

func newNames(first string) names { return names{dns: []string{first}} }

// add takes a host name or an IP address; what is neither is left out.
func (n *names) add(s string) {
	s = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		n.addAddress(a)
		return
	}
	if isHostName(s) && !slices.Contains(n.dns, s) {
		n.dns = append(n.dns, s)
	}
}

// addAddress reports whether the address was not there yet and is now.
func (n *names) addAddress(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() || slices.Contains(n.addresses, a) || len(n.addresses) >= maxAddresses {
		return false
	}
	n.addresses = append(n.addresses, a)
	return true
}

func isHostName(s string) bool {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_'
	}
	return s != "" && len(s) <= 253 && strings.Trim(s, ".-") == s && !strings.Contains(s, "..") &&
		strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0
}

// leaf is a server certificate in use.
type leaf struct {
	tls       *tls.Certificate
	notBefore time.Time
	notAfter  time.Time
}

// fresh reports whether the certificate still serves at that time, whichever way
// the clock was set since its making.
func (l *leaf) fresh(now time.Time) bool {
	return l != nil && now.After(l.notBefore.Add(clockSlack)) && now.Before(l.notAfter.Add(-leafRenewed))
}

func (a *authority) newLeaf(n names, now time.Time) (*leaf, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("pki: make server key: %w", err)
	}
	from := now.UTC().Truncate(time.Second).Add(-leafBackdated)
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{CommonName: "Slipway"},
		NotBefore:    from,
		NotAfter:     from.Add(leafLife - time.Second), // both ends belong to the validity
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     n.dns,
	}
	for _, addr := range n.addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("pki: make server certificate: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: read server certificate: %w", err)
	}
	// The CA is sent along so that a client that trusts it already, and one that
	// shows it to a person, see the whole chain.
	cert := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: parsed}
	return &leaf{tls: cert, notBefore: template.NotBefore, notAfter: template.NotAfter}, nil
}
