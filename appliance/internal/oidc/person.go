package oidc

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

const (
	maxSubject = 255             // OpenID Connect Core 1.0, section 2
	aheadOf    = 5 * time.Minute // that the provider's clock may be ahead of ours
)

// person checks the id token that came with token (OpenID Connect Core 1.0,
// section 3.1.3.7) and reads who it is about. nonce is empty in the device flow.
func (c *Clients) person(ctx context.Context, cfg Config, p *provider, token *oauth2.Token, nonce string) (Person, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Person{}, notAccepted("the provider gave no id token")
	}
	id, err := c.verify(ctx, cfg, p, raw)
	if err != nil {
		return Person{}, err
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return Person{}, notAccepted("its claims cannot be read")
	}
	switch party, _ := claims["azp"].(string); {
	case nonce != "" && subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return Person{}, notAccepted("it answers another sign-in (nonce)")
	case party != "" && party != cfg.ClientID:
		return Person{}, notAccepted("it was issued to another client (azp)")
	case id.IssuedAt.After(c.now().Add(aheadOf)):
		return Person{}, notAccepted("it was issued in the future: are the clocks right?")
	case !printable(id.Subject, maxSubject):
		return Person{}, notAccepted("it names no subject")
	}
	return Person{
		Issuer: cfg.Issuer, Subject: id.Subject, Name: nameOf(claims),
		Roles: rolesOf(claims, cfg.RoleClaim),
	}, nil
}

// notAccepted is ErrToken with the reason.
func notAccepted(reason string) error { return fmt.Errorf("%w: %s", ErrToken, reason) }
