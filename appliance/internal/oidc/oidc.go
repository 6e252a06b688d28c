// Package oidc signs people in with an OpenID provider: Entra ID or any other. It
// holds the device flow (RFC 8628), which the appliance runs so that a device needs
// no way to the internet, and the authorisation code flow with PKCE (RFC 7636) for
// the console. Tokens of the provider are checked (signature, issuer, audience,
// expiry) and then forgotten: only who the person is comes out.
package oidc

import (
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
