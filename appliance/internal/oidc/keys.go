package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
)

// signing are the algorithms an id token may be signed with: asymmetric ones only.
// "none" is not among them, and neither is one whose key would be our own secret.
var signing = []string{
	gooidc.RS256, gooidc.RS384, gooidc.RS512, gooidc.ES256, gooidc.ES384, gooidc.ES512,
	gooidc.PS256, gooidc.PS384, gooidc.PS512, gooidc.EdDSA,
}

// algorithms are those that the provider says it uses and that may be used; RS256,
// which every provider has, when that leaves none.
func (m metadata) algorithms() []string {
	out := slices.DeleteFunc(slices.Clone(m.Algorithms), func(a string) bool { return !slices.Contains(signing, a) })
	if len(out) == 0 {
		return []string{gooidc.RS256}
	}
	return out
}

// keys verifies one token and remembers whether the provider's keys could be had:
// the library flattens its errors.
type keys struct {
	set         gooidc.KeySet
	unreachable error
}

func (k *keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.set.VerifySignature(ctx, token)
	if err != nil && strings.HasPrefix(err.Error(), "fetching keys ") {
		k.unreachable = err
	}
	return payload, err
}

// verify checks signature, issuer, audience and times of an id token. Errors:
// ErrUnavailable, ErrToken.
func (c *Clients) verify(ctx context.Context, cfg Config, p *provider, raw string) (*gooidc.IDToken, error) {
	k := &keys{set: p.keys}
	id, err := gooidc.NewVerifier(cfg.Issuer, k, &gooidc.Config{
		ClientID: cfg.ClientID, SupportedSigningAlgs: p.metadata.algorithms(), Now: c.now,
	}).Verify(ctx, raw)
	var expired *gooidc.TokenExpiredError
	switch {
	case err == nil:
		return id, nil
	case k.unreachable != nil:
		return nil, unavailable("keys", k.unreachable, cfg)
	case errors.As(err, &expired):
		return nil, notAccepted("it has expired: are the clocks right?")
	}
	return nil, notAccepted(without(err.Error(), cfg, raw))
}
