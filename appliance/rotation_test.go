package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
)

// authorities are the certificates that `ca show` prints.
func authorities(t *testing.T, r *running) (out []*x509.Certificate) {
	t.Helper()
	for rest := []byte(r.must("", "ca", "show")); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
}

// trusting is a device whose image trusts these authorities.
func trusting(t *testing.T, r *running, key *tls.Certificate, trust ...*x509.Certificate) *http.Client {
	pool := x509.NewCertPool()
	for _, c := range trust {
		pool.AddCert(c)
	}
	config := &tls.Config{RootCAs: pool, ServerName: wire.ServerName(installationOf(t, r)), Certificates: []tls.Certificate{*key}}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: patience}
}

// signsIn reports whether a device gets a token; it fails for any reason but a
// certificate that it does not trust.
func signsIn(t *testing.T, r *running, c *http.Client) bool {
	t.Helper()
	body, err := json.Marshal(wire.PasscodeSignIn{Passcode: "slipway-lab", Device: testDevice, Environment: wire.LinuxPE})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Post("https://"+r.https+"/api/v1/auth/passcode", "application/json", strings.NewReader(string(body)))
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("sign-in answers %d", resp.StatusCode)
	}
	return true
}

func authorityStatus(t *testing.T, r *running) (s fleet.AuthorityStatus) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.must("", "ca", "status", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// signing waits until the authority signs.
func signing(t *testing.T, r *running, c *x509.Certificate) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		s := authorityStatus(t, r)
		if s.Authorities[0].Name == c.Subject.CommonName {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new authority does not sign: %+v; builds: %s", s, r.must("", "image", "list"))
		}
	}
}

// TestRotationOfTheAuthority walks a rotation by the command line on a running
// appliance: the image is built again, the changeover comes by itself, and devices
// that trust what they must sign in at every moment, over restarts.
func TestRotationOfTheAuthority(t *testing.T) {
	dir, packages := t.TempDir(), t.TempDir()
	if err := errors.Join(bootimagetest.WritePackages(packages, "6.9-1"), os.Mkdir(filepath.Join(dir, "bin"), 0o755),
		os.WriteFile(filepath.Join(dir, "bin", "slipway-agent"), bootimagetest.Program(false), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // where the agent is looked for
	r := start(t, dir)
	r.must("slipway-lab\n", "passcode", "set")
	r.must("", "image", "build", "linux", "--packages", packages, "--keyboard", "de")
	key := deviceCertificate(t)
	old := authorities(t, r)[0]
	if s := authorityStatus(t, r); len(s.Authorities) != 1 || len(s.Images) != 0 || s.Authorities[0].State != fleet.AuthoritySigning {
		t.Fatalf("before: %+v", s)
	}
	// Without its folder the build fails, and nothing changes over.
	out := r.must("", "ca", "rotate", "--packages", t.TempDir())
	if !strings.Contains(out, "pending") || !strings.Contains(out, "Building") || !strings.Contains(out, "Held up by") {
		t.Errorf("ca rotate prints:\n%s", out)
	}
	set := authorities(t, r)
	if len(set) != 2 {
		t.Fatalf("ca show prints %d certificates", len(set))
	}
	fresh := set[1]
	r.stop()
	r = start(t, dir)
	if !signsIn(t, r, trusting(t, r, key, old)) || !signsIn(t, r, trusting(t, r, key, set...)) || signsIn(t, r, trusting(t, r, key, fresh)) {
		t.Error("while it is pending the old authority must sign")
	}
	if code, _, text := r.cli("", "ca", "changeover"); code == 0 || !strings.Contains(text, "does not have the new authority") || !strings.Contains(text, "--force") {
		t.Errorf("a changeover too early: %d %s", code, text)
	}
	if code, _, text := r.cli("", "ca", "retire", "--force"); code == 0 || !strings.Contains(text, "changeover") {
		t.Errorf("retiring too early: %d %s", code, text)
	}
	if out := r.must("", "ca", "rotate", "--packages", packages); !strings.Contains(out, "under way already") {
		t.Errorf("the second ca rotate prints:\n%s", out)
	}
	signing(t, r, fresh)
	check := func(phase string) {
		t.Helper()
		if signsIn(t, r, trusting(t, r, key, old)) || !signsIn(t, r, trusting(t, r, key, old, fresh)) || !signsIn(t, r, trusting(t, r, key, fresh)) {
			t.Errorf("%s: the new authority must sign", phase)
		}
	}
	check("changed over")
	r.stop()
	r = start(t, dir)
	check("after a restart")
	if !slices.ContainsFunc(listImages(t, r), func(i fleet.BootImage) bool {
		return i.Served && len(i.CASet) == 2 && slices.Contains(i.Inputs, "keyboard de")
	}) {
		t.Errorf("images: %+v", listImages(t, r))
	}
	if out := r.must("", "ca", "retire", "--packages", packages); strings.Contains(out, "old") && strings.Contains(out, "pending") {
		t.Errorf("ca retire prints:\n%s", out)
	}
	check("retired")
	if set := authorities(t, r); len(set) != 1 || !set[0].Equal(fresh) {
		t.Errorf("ca show prints %d certificates", len(set))
	}
	for deadline := time.Now().Add(patience); !slices.ContainsFunc(listImages(t, r), func(i fleet.BootImage) bool { return i.Served && len(i.CASet) == 1 }); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no image without the old authority: %+v", listImages(t, r))
		}
	}
	log := r.must("", "audit", "list", "--action", "ca.")
	for _, want := range []string{"ca.rotated", "ca.changed-over", "ca.retired"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the audit log has not one %s:\n%s", want, log)
		}
	}
	// With --now the new one signs at once.
	r.must("", "ca", "rotate", "--now", "--packages", packages)
	if signsIn(t, r, trusting(t, r, key, fresh)) || !signsIn(t, r, trusting(t, r, key, authorities(t, r)[0])) {
		t.Error("ca rotate --now did not change over")
	}
}

func listImages(t *testing.T, r *running) []fleet.BootImage {
	t.Helper()
	var out api.Images
	if err := json.Unmarshal([]byte(r.must("", "image", "list", "--json")), &out.Images); err == nil {
		return out.Images
	}
	if err := json.Unmarshal([]byte(r.must("", "image", "list", "--json")), &out); err != nil {
		t.Fatal(err)
	}
	return out.Images
}
