package oidc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	maxAnswer  = 256 << 10 // bytes; a token with many groups has some tens of KiB
	maxHeaders = 64 << 10
	idleTime   = 30 * time.Second
	maxCalls   = 16 // connections to one host at a time
)

// newHTTPClient trusts the CAs in PEM, or the system's. A proxy is taken from the
// environment.
func newHTTPClient(cas string) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cas != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(cas)) {
			return nil, errors.New("the CA for the provider holds no PEM certificate")
		}
	}
	return &http.Client{
		Transport: bounded{&http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			DialContext:     (&net.Dialer{Timeout: callTime}).DialContext,
			TLSClientConfig: conf, TLSHandshakeTimeout: callTime,
			ForceAttemptHTTP2: true, MaxConnsPerHost: maxCalls, MaxIdleConnsPerHost: 2,
			IdleConnTimeout: idleTime, MaxResponseHeaderBytes: maxHeaders,
		}},
		CheckRedirect: stayHome,
	}, nil
}

// stayHome follows a redirect only for what carries no secret, and only within
// one origin.
func stayHome(r *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet:
		return http.ErrUseLastResponse
	case r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host:
		return errors.New("it redirects to another host")
	case len(via) > 3:
		return errors.New("it redirects too often")
	}
	return nil
}

// protected refuses plain http to anywhere but this machine.
func protected(u *url.URL) error {
	if u.Scheme == "https" {
		return nil
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback()) {
		return nil
	}
	return errors.New("its address must begin with https://")
}

// bounded reads answers whole, in time, and closes them: neither size nor a library
// that forgets about one can hold anything up. A good answer must be a JSON object,
// which all answers of OpenID Connect and OAuth are.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), callTime)
	defer cancel()
	resp, err := b.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("its answer is larger than %d KiB", maxAnswer>>10)
	}
	if resp.StatusCode < 300 && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return nil, fmt.Errorf("its answer (%s) is not a JSON object", resp.Status)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// CloseIdleConnections is what http.Client looks for.
func (b bounded) CloseIdleConnections() {
	if t, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// within returns a client whose calls end with ctx, for a library that does not
// hand it on, and prepares its requests.
func within(ctx context.Context, client *http.Client, prepare func(*http.Request)) *http.Client {
	c := *client
	c.Transport = bound{ctx, client.Transport, prepare}
	return &c
}

type bound struct {
	ctx     context.Context
	next    http.RoundTripper
	prepare func(*http.Request)
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(b.ctx)
	b.prepare(r)
	return b.next.RoundTrip(r)
}
