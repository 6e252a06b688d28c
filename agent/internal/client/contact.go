package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"slipway/agent/wire"
)

// ErrNotOurs says that whoever answers is not the appliance that built this
// boot image: its certificate does not lead to the pinned CA set, or bears
// another name.
var ErrNotOurs = errors.New("this is not the appliance that this boot image belongs to")

// FirstContact asks GET /healthz. It checks the certificate's chain and name
// but not the time, because the device's clock may be wrong; it shows no client
// certificate and sends no secret. It returns the appliance's time.
func FirstContact(ctx context.Context, o Options) (time.Time, error) {
	o.Identity = tls.Certificate{}
	if o.Now == nil {
		o.Now = time.Now
	}
	config := tlsConfig(o)
	config.InsecureSkipVerify = true // replaced by the check below
	config.VerifyConnection = func(s tls.ConnectionState) error { return verifyAnyTime(s, o) }
	t := transport(o, config)
	t.DisableKeepAlives = true
	defer t.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+handshakeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+wire.ServerName(o.Installation)+"/healthz", nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("first contact: %w", err)
	}
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("first contact: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("first contact: the answer bears no date: %w", err)
	}
	return date, nil
}

// verifyAnyTime checks the chain at a moment when the leaf was valid.
func verifyAnyTime(s tls.ConnectionState, o Options) error {
	if len(s.PeerCertificates) == 0 {
		return ErrNotOurs
	}
	leaf := s.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: o.Roots, Intermediates: intermediates, DNSName: wire.ServerName(o.Installation),
		CurrentTime: leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	return nil
}

// Explain says in plain words why a call did not reach the appliance.
func Explain(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var answer *Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrNotOurs), errors.As(err, &unknown), errors.As(err, &host):
		return "its certificate is not the one this boot image trusts"
	case OutOfTime(err):
		return "its certificate is not valid at this time"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak HTTPS"
	case errors.As(err, &answer):
		return answer.Error()
	case errors.As(err, &dns):
		return "the name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route: the address cannot be reached from this network"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), timedOut(err):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	return err.Error()
}

// NotOurs reports whether the certificate, and not the network, is the trouble.
func NotOurs(err error) bool {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.Is(err, ErrNotOurs) || errors.As(err, &unknown) || errors.As(err, &host)
}

// OutOfTime reports whether the certificate is not valid at this time.
func OutOfTime(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired // "not yet valid" as well
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
