package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Faults make the provider issue id tokens that nobody should accept.
type Faults struct {
	Issuer    string        // another one stands in the token
	Audience  string        // the token is for another client
	Nonce     string        // the token answers another request
	Lifetime  time.Duration // of the token; negative: it has expired when it is issued
	Key       bool          // signed by a key that the provider does not publish, under the published key's name
	NoIDToken bool          // device flow: an access token only
}

// SetFaults takes effect from the next token on. The zero value ends them.
func (p *Provider) SetFaults(f Faults) error {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Key && s.wrong == nil {
		own, err := s.Storage.SigningKey(context.Background())
		if err != nil {
			return err
		}
		if s.wrong, err = newKey(own.ID()); err != nil {
			return err
		}
	}
	s.faults = f
	return nil
}

// RotateKey gives the provider a new signing key; the old one is no longer published.
func (p *Provider) RotateKey() error {
	key, err := newKey("rotated-" + time.Now().Format(time.RFC3339Nano))
	if err != nil {
		return err
	}
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.store.rotated = key
	return nil
}

func (s *store) faultsNow() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// signingKey is one beside the example's own.
type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func newKey(id string) (*signingKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return &signingKey{id, key}, err
}

func (k *signingKey) ID() string                                  { return k.id }
func (k *signingKey) Key() any                                    { return k.key }
func (k *signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

// publicKey is what is published of a key.
type publicKey struct{ *signingKey }

func (k publicKey) Key() any                           { return &k.key.PublicKey }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }

// SigningKey signs tokens.
func (s *store) SigningKey(ctx context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.faults.Key:
		return s.wrong, nil
	case s.rotated != nil:
		return s.rotated, nil
	}
	return s.Storage.SigningKey(ctx)
}

// KeySet is what is published.
func (s *store) KeySet(ctx context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rotated != nil {
		return []op.Key{publicKey{s.rotated}}, nil
	}
	return s.Storage.KeySet(ctx)
}

// AuthRequestByCode is asked when a code is redeemed.
func (s *store) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := s.Storage.AuthRequestByCode(ctx, code)
	if err != nil {
		return nil, err
	}
	return faultyRequest{r, s.faultsNow()}, nil
}

type faultyRequest struct {
	op.AuthRequest
	faults Faults
}

func (r faultyRequest) GetAudience() []string {
	if r.faults.Audience != "" {
		return []string{r.faults.Audience}
	}
	return r.AuthRequest.GetAudience()
}

func (r faultyRequest) GetNonce() string {
	if r.faults.Nonce != "" {
		return r.faults.Nonce
	}
	return r.AuthRequest.GetNonce()
}
