//go:build lab

package boottest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// provider is a real OpenID provider beside the appliance: on the loopback of its
// namespace, so that no device can reach it.
type provider struct {
	Issuer, Control, CA string
	steer               *http.Client
}

func startProvider(t *testing.T, s *scene) *provider {
	t.Helper()
	binary := s.run.Path("provider")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./appliance/internal/oidc/oidctest/provider")
	build.Dir = lab.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	process, err := s.run.Start("openid", s.appliance.NS, binary, "-tls", "-interval", "2s", "-lifetime", "10m")
	must(t, err)
	p := &provider{steer: &http.Client{Transport: s.appliance.NS.Transport(), Timeout: lab.Timeout(10 * time.Second)}}
	must(t, process.WaitFor(30*time.Second, "the provider's address", func() bool {
		b, err := os.ReadFile(process.Log)
		return err == nil && json.Unmarshal(b, p) == nil && p.Issuer != ""
	}))
	return p
}

// do steers the provider, e.g. do("approve", "user_code", code, "user", "id1").
func (p *provider) do(t *testing.T, what string, pairs ...string) {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Control+"/test/"+what, strings.NewReader(form.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.steer.Do(req)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		t.Fatalf("%s: %s: %s", what, resp.Status, b)
	}
}

// settings make the appliance use the provider.
func (p *provider) settings(t *testing.T, s *scene) []string {
	t.Helper()
	ca := s.run.Path("provider-ca.pem")
	must(t, os.WriteFile(ca, []byte(p.CA), 0o600))
	return []string{"entra=on", "entra.issuer=" + p.Issuer, "entra.client_id=slipway", "entra.roles=Deploy", "entra.ca=@" + ca}
}

// auth changes sign-in settings of the appliance.
func (s *scene) auth(t *testing.T, settings ...string) {
	t.Helper()
	s.slipway(t, "", append([]string{"auth", "set", "--yes"}, settings...)...)
}

// scanQR reads the one QR code of a picture with a decoder that is not ours.
func scanQR(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, "zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", path).Output()
	if err != nil {
		return "", fmt.Errorf("no QR code is read from %s: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}
