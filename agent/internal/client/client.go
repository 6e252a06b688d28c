package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"slipway/agent/wire"
)

// Options say whom to speak to and as whom.
type Options struct {
	Address      string // "host:port"
	Installation string
	Roots        *x509.CertPool
	Identity     tls.Certificate
	Agent        string // version
	Image        string // boot image id
	Now          func() time.Time
}

// Client is a connection to one appliance. Safe for concurrent use.
type Client struct {
	options Options

	mu       sync.Mutex
	identity tls.Certificate // now in use
	http     *http.Client    // its connections
	token    string
	expires  time.Time
}

// Time limits. Handshakes take long on small or emulated processors.
const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 20 * time.Second
	callTimeout      = 40 * time.Second
	maxAnswer        = 16 << 20 // bytes of an answer
)

// New returns a client with all checks on: chain, name and time.
func New(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{options: o, identity: o.Identity, http: dialled(o, o.Identity)}
}

func dialled(o Options, identity tls.Certificate) *http.Client {
	o.Identity = identity
	return &http.Client{
		Transport:     transport(o, tlsConfig(o)),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Identify makes all later calls go over connections with another TLS identity.
// The token is dropped: it is bound to the identity before. The zero identity is
// the one of the options.
func (c *Client) Identify(identity tls.Certificate) {
	if identity.Certificate == nil {
		identity = c.options.Identity
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.expires = "", time.Time{}
	if Binding(identity) == Binding(c.identity) {
		return
	}
	c.http.CloseIdleConnections()
	c.identity, c.http = identity, dialled(c.options, identity)
}

// Identity is the TLS identity now in use.
func (c *Client) Identity() tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

func tlsConfig(o Options) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    o.Roots,
		ServerName: wire.ServerName(o.Installation),
		Time:       o.Now,
	}
	if o.Identity.Certificate != nil {
		config.Certificates = []tls.Certificate{o.Identity}
	}
	return config
}

// transport dials the address whatever the name in the URL, and uses no proxy.
func transport(o Options, config *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", o.Address)
		},
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   handshakeTimeout,
		ResponseHeaderTimeout: callTimeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          4,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
}

// Address is the appliance's address, as given.
func (c *Client) Address() string { return c.options.Address }

// Close drops idle connections.
func (c *Client) Close() { c.connection().CloseIdleConnections() }

func (c *Client) connection() *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.http
}

// SetToken sets the token that later calls carry.
func (c *Client) SetToken(t wire.Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.expires = t.Token, t.ExpiresAt
}

// Token returns the token now in use.
func (c *Client) Token() wire.Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	return wire.Token{Token: c.token, ExpiresAt: c.expires}
}

// ask makes a call whose answer is a T.
func ask[T any](ctx context.Context, c *Client, method, path string, in any) (out T, err error) {
	err = c.call(ctx, method, path, in, &out)
	return out, err
}

// call sends in as JSON (nil: no body) and reads the answer into out (nil: ignored).
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	_, body, err := c.send(ctx, method, path, in)
	if err != nil || out == nil {
		return err
	}
	return understand(method, path, body, out)
}

func understand(method, path string, body []byte, out any) error {
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not understood: %w", method, path, err)
	}
	return nil
}

// send returns the status, 200 to 299, and the body of an answer.
func (c *Client) send(ctx context.Context, method, path string, in any) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.connection().Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return 0, nil, problem(resp, body)
	case len(body) > maxAnswer:
		return 0, nil, fmt.Errorf("%s %s: the answer is too large", method, path)
	}
	return resp.StatusCode, body, nil
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+wire.ServerName(c.options.Installation)+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set(wire.HeaderProtocol, strconv.Itoa(wire.Protocol))
	req.Header.Set(wire.HeaderAgent, c.options.Agent)
	req.Header.Set("User-Agent", "slipway-agent/"+c.options.Agent)
	if c.options.Image != "" {
		req.Header.Set(wire.HeaderImage, c.options.Image)
	}
	if t := c.Token(); t.Token != "" {
		req.Header.Set("Authorization", "Bearer "+t.Token)
	}
	return req, nil
}

// problem reads an error answer. An answer that is no problem document, from
// something between us and the appliance, keeps its status.
func problem(resp *http.Response, body []byte) error {
	e := &Error{Status: resp.StatusCode}
	if err := json.Unmarshal(body, &e.Problem); err != nil {
		e.Problem = wire.Problem{Title: http.StatusText(resp.StatusCode)}
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = min(time.Duration(s)*time.Second, 24*time.Hour)
	}
	return e
}

// Error is an answer of the appliance that says no.
type Error struct {
	Status     int
	Problem    wire.Problem
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Problem.Detail != "" {
		return fmt.Sprintf("%s (%d)", e.Problem.Detail, e.Status)
	}
	return fmt.Sprintf("%s (%d)", e.Problem.Title, e.Status)
}

// Status returns the HTTP status an error stands for, 0 when it is no answer.
func Status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Word returns the word of the problem an error stands for, such as "role" of
// "urn:slipway:problem:role"; nothing when there is none.
func Word(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	word, _ := strings.CutPrefix(e.Problem.Type, "urn:slipway:problem:")
	if word == e.Problem.Type {
		return ""
	}
	return word
}
