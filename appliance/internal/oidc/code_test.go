package oidc

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/oidc/oidctest"
)

// browse sends a browser to the provider, where anna signs in, and returns what it
// comes back with.
func (b *bench) browse(t *testing.T, state, nonce, verifier string) url.Values {
	t.Helper()
	address, err := b.AuthCodeURL(t.Context(), b.cfg, redirect, state, nonce, verifier)
	do(t, err)
	back, err := b.op.Browse(address, "id1")
	do(t, err)
	if !strings.HasPrefix(back.String(), redirect+"?") || back.Query().Get("state") != state {
		t.Fatalf("came back to %s", back)
	}
	return back.Query()
}

func TestCodeFlow(t *testing.T) {
	b := newBench(t, oidctest.Options{TLS: true})
	for _, client := range []string{"slipway", "slipway-secret"} {
		b.cfg.ClientID, b.cfg.Secret = client, ""
		if client == "slipway-secret" {
			b.cfg.Secret = "s3cret+/ %"
		}
		verifier := NewVerifier()
		code := b.browse(t, "state", "nonce", verifier).Get("code")
		p, err := b.Exchange(t.Context(), b.cfg, redirect, code, "nonce", verifier)
		do(t, err)
		if p.Subject != "id1" || p.Name != "anna@example.test" || !slices.Equal(p.Roles, []string{"Deploy"}) {
			t.Errorf("%+v", p)
		}
		// A code is good once.
		_, err = b.Exchange(t.Context(), b.cfg, redirect, code, "nonce", verifier)
		wants(t, err, ErrToken)
	}
}

func TestCodeFlowRefuses(t *testing.T) {
	b := newBench(t, oidctest.Options{})
	verifier := NewVerifier()
	for name, c := range map[string]struct {
		nonce, verifier string
		faults          oidctest.Faults
		words           string
	}{
		"another verifier": {"nonce", NewVerifier(), oidctest.Faults{}, "invalid_grant"},
		"another nonce":    {"other", verifier, oidctest.Faults{}, "nonce"},
		"a nonce of the provider's own": {"nonce", verifier,
			oidctest.Faults{Nonce: "strange"}, "nonce"},
		"another issuer":  {"nonce", verifier, oidctest.Faults{Issuer: "https://login.example.net"}, "different provider"},
		"expired":         {"nonce", verifier, oidctest.Faults{Lifetime: -time.Minute}, "expired"},
		"unpublished key": {"nonce", verifier, oidctest.Faults{Key: true}, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			code := b.browse(t, "state", "nonce", verifier).Get("code")
			do(t, b.op.SetFaults(c.faults))
			defer b.op.SetFaults(oidctest.Faults{})
			_, err := b.Exchange(t.Context(), b.cfg, redirect, code, c.nonce, c.verifier)
			says(t, err, ErrToken, c.words)
		})
	}
	t.Run("without a guard", func(t *testing.T) {
		for _, missing := range [][3]string{{"", "n", "v"}, {"s", "", "v"}, {"s", "n", ""}} {
			_, err := b.AuthCodeURL(t.Context(), b.cfg, redirect, missing[0], missing[1], missing[2])
			wants(t, err, errUnguarded)
		}
		_, err := b.Exchange(t.Context(), b.cfg, redirect, "c", "", "v")
		wants(t, err, errUnguarded)
		_, err = b.Exchange(t.Context(), b.cfg, redirect, "c", "n", "")
		wants(t, err, errUnguarded)
	})
	t.Run("down", func(t *testing.T) {
		do(t, b.op.Down())
		defer b.op.Up()
		_, err := b.Exchange(t.Context(), b.cfg, redirect, "c", "nonce", verifier)
		wants(t, err, ErrUnavailable)
	})
}

// The address carries what guards the flow, and no verifier.
func TestAuthCodeURL(t *testing.T) {
	b := newBench(t, oidctest.Options{})
	address, err := b.AuthCodeURL(t.Context(), b.cfg, redirect, "the-state", "the-nonce", "the-verifier")
	do(t, err)
	u, err := url.Parse(address)
	do(t, err)
	q := u.Query()
	for key, want := range map[string]string{
		"state": "the-state", "nonce": "the-nonce", "code_challenge_method": "S256", "response_type": "code",
		"client_id": "slipway", "redirect_uri": redirect, "scope": "openid profile email",
		"code_challenge": "sP6XQ2T7IHwj7eBkdcI9xyC8WxEik0RMQk0tVGDKZPI",
	} {
		if q.Get(key) != want {
			t.Errorf("%s = %q, want %q", key, q.Get(key), want)
		}
	}
	if strings.Contains(address, "the-verifier") {
		t.Error("the verifier is in the address")
	}
}
