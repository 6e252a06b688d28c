package pki

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
)

// TLSConfig is the configuration of the HTTPS listener: TLS 1.2 at least, HTTP/2,
// and a server certificate that renews itself for ServerName, this machine's host
// name, localhost, the extra names and addresses, and every local address that a
// client connected to. Under ServerName a client certificate is requested, but
// neither required nor verified beyond the possession of its key.
func (a *Authority) TLSConfig(extraNames ...string) *tls.Config {
	a.mu.Lock()
	if host, err := os.Hostname(); err == nil {
		a.names.add(host)
	}
	for _, n := range append([]string{"localhost", "127.0.0.1", "::1"}, extraNames...) {
		a.names.add(n)
	}
	a.leaf = nil // made for fewer names
	a.mu.Unlock()

	console := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: a.certificate,
	}
	device := console.Clone()
	device.ClientAuth = tls.RequestClientCert
	// A resumed connection would not prove the key anew.
	device.SessionTicketsDisabled = true
	name := a.ServerName()
	console.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if strings.EqualFold(hello.ServerName, name) {
			return device, nil
		}
		return nil, nil // as it is
	}
	return console
}

// certificate is the server certificate for a connection, made anew when it is
// due or when the client reached us at an address it does not name yet.
func (a *Authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if hello.Conn != nil {
		if local, err := netip.ParseAddrPort(hello.Conn.LocalAddr().String()); err == nil && a.names.addAddress(local.Addr()) {
			a.leaf = nil
		}
	}
	if now := a.now(); !a.leaf.fresh(now) {
		l, err := a.signer.newLeaf(a.names, now)
		if err != nil {
			return nil, err
		}
		a.leaf = l
	}
	return a.leaf.tls, nil
}

// Binding is what a token is bound to: the hex SHA-256 of the client certificate
// (RFC 8705 section 3.1), or empty when the client showed none.
func Binding(state tls.ConnectionState) string {
	if !state.HandshakeComplete || len(state.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}
