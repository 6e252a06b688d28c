package oidc

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/oidc/oidctest"
)

func TestDeviceFlow(t *testing.T) {
	for name, o := range map[string]oidctest.Options{"http": {}, "https with a CA of its own": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, o)
			d := b.start(t)
			if d.Interval != time.Second || !strings.HasPrefix(d.VerificationURI, b.op.Issuer) || !strings.Contains(d.VerificationURIComplete, d.UserCode) {
				t.Errorf("%+v", d)
			}
			if left := d.ExpiresAt.Sub(b.clock.now()); left < 4*time.Minute || left > 5*time.Minute {
				t.Errorf("expires in %v", left)
			}
			_, err := b.poll(t, d)
			wants(t, err, ErrPending)
			do(t, b.op.Approve(d.UserCode, "id1"))
			p, err := b.poll(t, d)
			do(t, err)
			if p.Issuer != b.op.Issuer || p.Subject != "id1" || p.Name != "anna@example.test" || !slices.Equal(p.Roles, []string{"Deploy"}) {
				t.Errorf("%+v", p)
			}
			if f := b.op.Flows(); len(f) != 1 || f[0].Polls != 2 || !f[0].Used {
				t.Errorf("%+v", f)
			}
		})
	}
}

// Each of these answers is the provider's own.
func TestDeviceFlowAnswers(t *testing.T) {
	b := newBench(t, oidctest.Options{})
	cases := map[string]struct {
		do   func(d DeviceCode) error
		want error
	}{
		"denied":    {func(d DeviceCode) error { return b.op.Deny(d.UserCode) }, ErrDenied},
		"expired":   {func(d DeviceCode) error { return b.op.Expire(d.UserCode) }, ErrExpired},
		"slow down": {func(d DeviceCode) error { return b.op.SlowDown(d.UserCode, 1) }, ErrSlowDown},
		"down":      {func(DeviceCode) error { return b.op.Down() }, ErrUnavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := b.start(t)
			do(t, c.do(d))
			_, err := b.poll(t, d)
			wants(t, err, c.want)
			do(t, b.op.Up())
		})
	}
	t.Run("too early", func(t *testing.T) {
		b := newBench(t, oidctest.Options{Interval: time.Minute}) // by the provider's own clock
		d := b.start(t)
		_, err := b.PollDevice(t.Context(), b.cfg, d)
		wants(t, err, ErrPending)
		_, err = b.PollDevice(t.Context(), b.cfg, d)
		wants(t, err, ErrSlowDown)
	})
	t.Run("up again", func(t *testing.T) {
		d := b.start(t)
		do(t, b.op.Down())
		_, err := b.StartDevice(t.Context(), b.cfg)
		wants(t, err, ErrUnavailable)
		do(t, b.op.Up())
		do(t, b.op.Approve(d.UserCode, "id2"))
		p, err := b.poll(t, d)
		do(t, err)
		if p.Subject != "id2" || len(p.Roles) != 0 {
			t.Errorf("%+v", p)
		}
	})
}

func TestSecretOfTheClient(t *testing.T) {
	b := newBench(t, oidctest.Options{})
	b.cfg.ClientID, b.cfg.Secret = "slipway-secret", "s3cret+/ %"
	_, err := b.poll(t, b.approved(t, "id1"))
	do(t, err)

	d := b.approved(t, "id1")
	b.cfg.Secret = "another-one"
	_, err = b.poll(t, d)
	says(t, err, ErrUnavailable, "unauthorized_client")
	if strings.Contains(err.Error(), b.cfg.Secret) {
		t.Errorf("the secret stands in %q", err)
	}
	b.cfg.ClientID = "nobody"
	_, err = b.StartDevice(t.Context(), b.cfg)
	wants(t, err, ErrUnavailable)
}

// Tokens that nobody should accept, each issued by the provider.
func TestTokensThatAreRefused(t *testing.T) {
	b := newBench(t, oidctest.Options{})
	for name, c := range map[string]struct {
		faults oidctest.Faults
		words  string
	}{
		"another issuer":   {oidctest.Faults{Issuer: "https://login.example.net"}, "different provider"},
		"another audience": {oidctest.Faults{Audience: "somebody-else"}, "expected audience"},
		"expired":          {oidctest.Faults{Lifetime: -time.Minute}, "expired"},
		"unpublished key":  {oidctest.Faults{Key: true}, "signature"},
		"no id token":      {oidctest.Faults{NoIDToken: true}, "no id token"},
	} {
		t.Run(name, func(t *testing.T) {
			do(t, b.op.SetFaults(c.faults))
			_, err := b.poll(t, b.approved(t, "id1"))
			says(t, err, ErrToken, c.words)
			do(t, b.op.SetFaults(oidctest.Faults{}))
			_, err = b.poll(t, b.approved(t, "id1"))
			do(t, err)
		})
	}
	t.Run("our clock is ahead", func(t *testing.T) {
		b.clock.add(2 * time.Hour)
		_, err := b.poll(t, b.approved(t, "id1"))
		says(t, err, ErrToken, "expired")
		b.clock.add(-4 * time.Hour)
		_, err = b.poll(t, b.approved(t, "id1"))
		says(t, err, ErrToken, "future")
	})
}

func TestKeyRotation(t *testing.T) {
	b := newBench(t, oidctest.Options{})
	_, err := b.poll(t, b.approved(t, "id1"))
	do(t, err)
	do(t, b.op.RotateKey())
	_, err = b.poll(t, b.approved(t, "id1"))
	do(t, err)
}

func TestWrongIssuerAndCA(t *testing.T) {
	b := newBench(t, oidctest.Options{TLS: true})
	cfg := b.cfg
	cfg.Issuer += "/"
	_, err := b.StartDevice(t.Context(), cfg)
	says(t, err, ErrUnavailable, "Set the issuer exactly as the provider gives it")
	cfg = b.cfg
	cfg.CAs = ""
	_, err = b.StartDevice(t.Context(), cfg)
	says(t, err, ErrUnavailable, "certificate")
	cfg.CAs = "nonsense"
	_, err = b.StartDevice(t.Context(), cfg)
	says(t, err, ErrUnavailable, "PEM")
	for _, bad := range []string{"", "login.example.com", "http://login.example.com", "ftp://127.0.0.1", "://"} {
		cfg.Issuer = bad
		_, err = b.StartDevice(t.Context(), cfg)
		wants(t, err, ErrUnavailable)
	}
}

// A caller that goes away is not waited for.
func TestCallsEndWithTheirContext(t *testing.T) {
	b := newBench(t, oidctest.Options{})
	d := b.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.StartDevice(ctx, b.cfg)
	wants(t, err, ErrUnavailable)
	_, err = b.PollDevice(ctx, b.cfg, d)
	wants(t, err, ErrUnavailable)
	if n := len(b.op.Flows()); n != 1 {
		t.Errorf("%d flows", n)
	}
}
