package oidc

import (
	"slices"
	"strings"
	"testing"

	"slipway/appliance/internal/oidc/oidctest"
)

func TestCheck(t *testing.T) {
	b := newBench(t, oidctest.Options{TLS: true})
	secret, unknown := b.cfg, b.cfg
	secret.ClientID, secret.Secret = "slipway-secret", "wrong-secret"
	unknown.ClientID = "nobody"
	untrusted := b.cfg
	untrusted.CAs = ""
	for name, c := range map[string]struct {
		cfg    Config
		device bool
		fails  string   // words of the error; empty: none
		want   []string // begins of lines
	}{
		"device":          {b.cfg, true, "", []string{"Network: connected", "TLS: the provider's certificate is trusted", "Discovery: the provider answers as https://", "Keys: the provider publishes 1 ", "Device flow: the provider gave a code for client slipway.", "The code lasts 5 minutes", "The client may ask"}},
		"console":         {b.cfg, false, "", []string{"Keys: ", "Sign-in page: https://", "Client slipway was not refused", "The redirect address"}},
		"wrong secret":    {secret, true, "device authorization: unauthorized_client", []string{"Keys: "}},
		"console, client": {unknown, false, "", []string{"Sign-in page: ", "Client nobody was not refused"}},
		"unknown client":  {unknown, true, "device authorization", []string{"Discovery: "}},
		"untrusted":       {untrusted, true, "certificate", []string{"Network: "}},
	} {
		t.Run(name, func(t *testing.T) {
			lines, err := b.Check(t.Context(), c.cfg, c.device)
			if c.fails == "" {
				do(t, err)
			} else {
				says(t, err, ErrUnavailable, c.fails)
				lines = append(lines, err.Error())
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }) {
					t.Errorf("no line %q in\n%s", want, strings.Join(lines, "\n"))
				}
			}
			if strings.Contains(strings.Join(lines, "\n"), "wrong-secret") {
				t.Error("the secret is shown")
			}
			if testing.Verbose() {
				t.Logf("\n%s", strings.Join(lines, "\n"))
			}
		})
	}
	do(t, b.op.Down())
	lines, err := b.Check(t.Context(), b.cfg, true)
	says(t, err, ErrUnavailable, "connection refused")
	if len(lines) != 0 {
		t.Errorf("%q", lines)
	}
}
