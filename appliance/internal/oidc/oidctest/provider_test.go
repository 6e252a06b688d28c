package oidctest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, o Options) *Provider {
	t.Helper()
	p, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// post sends a form and returns the answer's JSON.
func post(t *testing.T, address string, form url.Values) map[string]any {
	t.Helper()
	resp, err := http.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	return out
}

func begin(t *testing.T, p *Provider) (deviceCode, userCode string) {
	t.Helper()
	out := post(t, p.Issuer+"/device_authorization", url.Values{"client_id": {"slipway"}, "scope": {"openid profile email"}})
	deviceCode, _ = out["device_code"].(string)
	userCode, _ = out["user_code"].(string)
	if deviceCode == "" || userCode == "" || out["interval"] != 1.0 || out["expires_in"] != 90.0 {
		t.Fatalf("device authorization: %v", out)
	}
	return deviceCode, userCode
}

func poll(t *testing.T, p *Provider, deviceCode string) map[string]any {
	t.Helper()
	p.Rest()
	return post(t, p.Issuer+"/oauth/token", url.Values{
		"client_id": {"slipway"}, "device_code": {deviceCode},
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
	})
}

func TestDeviceFlow(t *testing.T) {
	p := start(t, Options{Interval: time.Second, Lifetime: 90 * time.Second, Control: "127.0.0.1:0"})
	steer := func(path string) {
		t.Helper()
		resp, err := http.Post(p.ControlURL()+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Fatalf("%s: %s", path, resp.Status)
		}
	}
	wants := func(device, want string) {
		t.Helper()
		if out := poll(t, p, device); out["error"] != want {
			t.Errorf("%v, want %s", out, want)
		}
	}
	device, code := begin(t, p)
	wants(device, "authorization_pending")
	steer("/test/slow?user_code=" + code)
	wants(device, "slow_down")
	wants(device, "authorization_pending")
	steer("/test/approve?user=anna@example.test&user_code=" + code)
	out := poll(t, p, device)
	if id, _ := out["id_token"].(string); strings.Count(id, ".") != 2 {
		t.Errorf("no id token: %v", out)
	}
	wants(device, "access_denied") // used

	device, _ = begin(t, p)
	steer("/test/deny")
	wants(device, "access_denied")
	device, _ = begin(t, p)
	steer("/test/expire")
	wants(device, "expired_token")
	wants("nonsense", "access_denied")

	device, _ = begin(t, p)
	steer("/test/down")
	if _, err := http.Get(p.Issuer); err == nil {
		t.Error("answers while it is down")
	}
	steer("/test/up")
	wants(device, "authorization_pending")
	if f := p.Flows(); len(f) != 4 || f[0].Polls != 5 || !f[0].Used || f[3].Polls != 1 {
		t.Errorf("flows %+v", f)
	}
	for _, bad := range []string{"/test/deny?user_code=X", "/test/expire?user_code=X", "/test/approve?user_code=X", "/test/approve?user=X", "/test/roles?user=X"} {
		resp, err := http.Post(p.ControlURL()+bad, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", bad, resp.Status)
		}
	}
}

// Who polls faster than the interval is told to slow down.
func TestEarlyPoll(t *testing.T) {
	p := start(t, Options{Interval: time.Minute, Lifetime: 90 * time.Second})
	out := post(t, p.Issuer+"/device_authorization", url.Values{"client_id": {"slipway"}, "scope": {"openid"}})
	form := url.Values{"client_id": {"slipway"}, "device_code": {out["device_code"].(string)}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}}
	for _, want := range []string{"authorization_pending", "slow_down"} {
		if out := post(t, p.Issuer+"/oauth/token", form); out["error"] != want {
			t.Errorf("%v, want %s", out, want)
		}
	}
}
