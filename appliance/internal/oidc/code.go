package oidc

import (
	"context"
	"errors"
	"fmt"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

var errUnguarded = errors.New("oidc: state, nonce and verifier must be given")

// NewVerifier makes a secret for AuthCodeURL and Exchange (RFC 7636, section 4.1).
func NewVerifier() string { return oauth2.GenerateVerifier() }

// AuthCodeURL is where a browser is sent to sign in. redirect is where it comes
// back to; state and nonce are random and new for each sign-in. Errors:
// ErrUnavailable.
func (c *Clients) AuthCodeURL(ctx context.Context, cfg Config, redirect, state, nonce, verifier string) (string, error) {
	if state == "" || nonce == "" || verifier == "" {
		return "", errUnguarded
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	p, err := c.provider(ctx, cfg)
	if err != nil {
		return "", err
	}
	conf := p.config(cfg, redirect)
	if conf.Endpoint.AuthURL == "" {
		c.forget(cfg, p)
		return "", fmt.Errorf("%w: this provider has no page to sign in (no authorization_endpoint)", ErrUnavailable)
	}
	return conf.AuthCodeURL(state, gooidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// Exchange redeems the code that the browser came back with. Errors: ErrDenied,
// ErrUnavailable, ErrToken.
func (c *Clients) Exchange(ctx context.Context, cfg Config, redirect, code, nonce, verifier string) (Person, error) {
	if nonce == "" || verifier == "" {
		return Person{}, errUnguarded
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	p, err := c.provider(ctx, cfg)
	if err != nil {
		return Person{}, err
	}
	token, err := p.config(cfg, redirect).Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Person{}, c.failed(cfg, p, refusal("token", err, cfg, code, verifier))
	}
	person, err := c.person(ctx, cfg, p, token, nonce)
	if err != nil {
		return Person{}, c.failed(cfg, p, err)
	}
	return person, nil
}
