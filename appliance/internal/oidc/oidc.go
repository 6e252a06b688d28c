// Package oidc signs people in with an OpenID provider: Entra ID or any other. It
// holds the device flow (RFC 8628), which the appliance runs so that a device needs
// no way to the internet, and the authorisation code flow with PKCE (RFC 7636) for
// the console. Tokens of the provider are checked (signature, issuer, audience,
// expiry) and then forgotten: only who the person is comes out.
package oidc

import (
	"context"
	"errors"
	"time"
)

// Config names a provider and how this appliance is known there.
type Config struct {
	Issuer    string
	ClientID  string
	Secret    string   // empty for a public client
	RoleClaim string   // empty: roles
	Scopes    []string // beside openid; empty: profile, email
	CAs       string   // PEM; empty: the system's
}

// Person is who signed in.
type Person struct {
	Issuer  string
	Subject string
	Name    string // preferred_username, email, name or the subject, in this order
	Roles   []string
}

// DeviceCode is a device flow under way. Its Code is a secret.
type DeviceCode struct {
	Code                    string
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string // empty when the provider has none, e.g. Entra ID
	ExpiresAt               time.Time
	Interval                time.Duration // least time between polls
}

// The answers of a provider. Test with errors.Is.
var (
	ErrPending     = errors.New("the person has not signed in yet")
	ErrSlowDown    = errors.New("the provider asks to poll less often") // RFC 8628 3.5: 5 seconds more from now on
	ErrDenied      = errors.New("the sign-in was denied")
	ErrExpired     = errors.New("the code has expired")
	ErrUnavailable = errors.New("the provider does not answer")
	ErrToken       = errors.New("the provider's token is not accepted") // wrapped with the reason
)

// Clients keeps what was discovered of providers. It is safe for concurrent use.
type Clients struct{}

// NewClients returns an empty one. now is the clock that tokens are checked by.
func NewClients(now func() time.Time) *Clients { return &Clients{} }

// StartDevice begins a device flow.
func (c *Clients) StartDevice(ctx context.Context, cfg Config) (DeviceCode, error) {
	return DeviceCode{}, ErrUnavailable
}

// PollDevice asks once how the flow stands.
func (c *Clients) PollDevice(ctx context.Context, cfg Config, d DeviceCode) (Person, error) {
	return Person{}, ErrUnavailable
}

// AuthCodeURL is where a browser is sent to sign in.
func (c *Clients) AuthCodeURL(ctx context.Context, cfg Config, redirect, state, nonce, verifier string) (string, error) {
	return "", ErrUnavailable
}

// Exchange redeems the code that the browser came back with.
func (c *Clients) Exchange(ctx context.Context, cfg Config, redirect, code, nonce, verifier string) (Person, error) {
	return Person{}, ErrUnavailable
}

// Check looks whether the provider can be used, for the test button: what was
// tried and found, a line each.
func (c *Clients) Check(ctx context.Context, cfg Config, deviceFlow bool) (lines []string, err error) {
	return nil, ErrUnavailable
}
