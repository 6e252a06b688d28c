package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/oidc/oidctest"
)

// openID starts a provider for the running appliance's console and devices, and
// returns it with the file of its CA.
func openID(t *testing.T, r *running) (*oidctest.Provider, string) {
	t.Helper()
	op, err := oidctest.Start(oidctest.Options{
		TLS: true, Interval: time.Second,
		Clients: []oidctest.Client{{ID: "slipway", Redirects: []string{"https://" + r.https + "/login/callback"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { op.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(op.CA()), 0o600); err != nil {
		t.Fatal(err)
	}
	return op, ca
}

func (b *booted) startEntra() (e wire.EntraStart) {
	b.t.Helper()
	if code := b.call("POST", "/auth/entra", wire.SignIn{Device: b.device, Environment: wire.LinuxPE}, &e); code != http.StatusOK {
		b.t.Fatalf("the start of a sign-in answers %d", code)
	}
	return e
}

// pollEntra polls until the answer is another than "pending".
func (b *booted) pollEntra(e wire.EntraStart) int {
	b.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var token wire.Token
		code := b.call("POST", "/auth/entra/poll", wire.EntraPoll{Session: e.Session}, &token)
		if code != http.StatusAccepted {
			b.token = token.Token
			return code
		}
	}
	b.t.Fatal("pending for ever")
	return 0
}

// A device's sign-in with an OpenID provider, from the settings to the token.
func TestEntraOverTheWire(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	op, ca := openID(t, r)
	r.must("slipway-lab\n", "passcode", "set")
	r.must("", "auth", "set", "entra.issuer="+op.Issuer, "entra.client_id=slipway", "entra.ca=@"+ca, "entra.roles=Deploy", "entra=on")
	if out := r.must("", "auth", "test", "entra"); !strings.Contains(out, "The client may ask for tokens") {
		t.Errorf("auth test says %s", out)
	}
	b := r.boot(wire.Device{Serial: "entra-1", Model: "T1"})
	if code := b.signIn("slipway-lab"); code != http.StatusForbidden {
		t.Errorf("the passcode answers %d beside Entra ID", code)
	}

	e := b.startEntra()
	if err := op.Deny(e.UserCode); err != nil {
		t.Fatal(err)
	}
	if code := b.pollEntra(e); code != http.StatusForbidden {
		t.Errorf("denied answers %d", code)
	}
	e = b.startEntra()
	if err := op.Approve(e.UserCode, "id2"); err != nil {
		t.Fatal(err)
	}
	if code := b.pollEntra(e); code != http.StatusForbidden {
		t.Errorf("without the role: %d", code)
	}

	// A restart while a person looks for the phone: the code is gone.
	e = b.startEntra()
	r.stop()
	b.running = start(t, dir)
	if code := b.pollEntra(e); code != http.StatusGone {
		t.Errorf("after a restart: %d", code)
	}
	e = b.startEntra()
	if err := op.Down(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(e.Interval) * time.Second) // the provider's own time
	if code := b.pollEntra(e); code != http.StatusServiceUnavailable {
		t.Errorf("while the provider is down: %d", code)
	}
	if err := op.Up(); err != nil {
		t.Fatal(err)
	}
	if err := op.Approve(e.UserCode, "anna@example.test"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); b.pollEntra(e) != http.StatusOK; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no token after the provider came back")
		}
	}
	var list wire.TaskSequences
	if code := b.call("GET", "/task-sequences", nil, &list); code != http.StatusOK {
		t.Errorf("the token answers %d", code)
	}
	log := b.must("", "audit", "list", "--json")
	for _, want := range []string{"entra.accepted", "anna@example.test", "ben@example.test", "lacks the role", `"denied"`} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the audit log:\n%s", want, log)
		}
	}
	for _, secret := range []string{e.Session, e.UserCode, b.token} {
		if strings.Contains(log, secret) || strings.Contains(b.log.String(), secret) {
			t.Errorf("the secret %s is in a log", secret)
		}
	}
}

// A person at the console, from the button to a page and the address twice.
func TestConsoleProviderOverTheWire(t *testing.T) {
	r := start(t, t.TempDir())
	op, ca := openID(t, r)
	r.must("a long enough passphrase 77\n", "account", "add", "root", "--role", "administrator")
	r.must("", "auth", "set", "console.issuer="+op.Issuer, "console.client_id=slipway", "console.ca=@"+ca, "console.administrators=Deploy", "console=on")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := insecure(nil, "")
	b.Jar = jar
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	visit := func(address string) *url.URL {
		t.Helper()
		resp, err := b.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		to, err := resp.Location()
		if err != nil {
			t.Fatalf("%s answers %s", address, resp.Status)
		}
		return to
	}
	back, err := op.Browse(visit("https://"+r.https+"/login/provider").String(), "id1")
	if err != nil {
		t.Fatal(err)
	}
	if to := visit(back.String()); to.Path != "/" {
		t.Errorf("sent to %s", to)
	}
	home, err := url.Parse("https://" + r.https + "/")
	if err != nil {
		t.Fatal(err)
	}
	session := ""
	for _, c := range jar.Cookies(home) {
		if c.Name == "__Host-slipway-session" {
			session = c.Value
		}
	}
	if !r.showsPage(session) {
		t.Error("no page is shown to the session")
	}
	// The same address in another browser, or again, is worth nothing.
	resp, err := insecure(nil, "").Get(back.String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	begun := slices.ContainsFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == "__Host-slipway-session" })
	if resp.StatusCode != http.StatusGone || begun {
		t.Errorf("replayed: %s, %v", resp.Status, resp.Cookies())
	}
}
