package main

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/clientcert"
	"slipway/fleet"
)

// watchHandshakes brings callers who show a certificate without holding its key to
// the audit log. Their TLS handshake fails, so no handler ever sees them: all there
// is of it is what net/http writes to its error log. The rest of that log goes where
// it went before.
func watchHandshakes(s *http.Server, audit auth.Auditor) {
	s.ErrorLog = log.New(&handshakes{audit: audit, rest: s.ErrorLog}, "", 0)
}

// handshakes reads the error log of a server, one message for each write.
type handshakes struct {
	audit auth.Auditor
	rest  *log.Logger
}

// How net/http and crypto/tls word it (Go 1.26). There is no typed error behind
// these; TestKeyMismatchIsAudited fails when they change.
const (
	handshakeFailed = "http: TLS handshake error from "
	wrongSignature  = "tls: invalid signature by the client certificate"
	wrongKind       = "tls: client certificate used with invalid signature algorithm" // key of another kind than the certificate's
)

// Write takes one message.
func (h *handshakes) Write(message []byte) (int, error) {
	text := strings.TrimSpace(string(message))
	if address, ok := keyMismatch(text); ok {
		// The audit log counts and logs its own failures.
		_ = h.audit.Write(context.Background(), fleet.AuditEntry{
			Actor: "device", Action: "certificate.refused", Address: address, Outcome: "refused", Reason: clientcert.ReasonNoKey,
		})
	}
	if h.rest != nil {
		h.rest.Print(text)
	}
	return len(message), nil
}

// keyMismatch reports whether the message is of a caller without the key, and
// from which address.
func keyMismatch(text string) (address string, ok bool) {
	rest, ok := strings.CutPrefix(text, handshakeFailed)
	if !ok {
		return "", false
	}
	from, why, ok := strings.Cut(rest, ": ")
	if !ok || !strings.HasPrefix(why, wrongSignature) && !strings.HasPrefix(why, wrongKind) {
		return "", false
	}
	if a, err := netip.ParseAddrPort(from); err == nil {
		return a.Addr().Unmap().WithZone("").String(), true
	}
	return "", true
}

// newDeviceServer is an HTTPS server whose failed handshakes are watched.
func newDeviceServer(l net.Listener, h http.Handler, logger *slog.Logger, audit auth.Auditor) *httpServer {
	s := newHTTPServer(l, h, logger)
	watchHandshakes(s.server, audit)
	return s
}
