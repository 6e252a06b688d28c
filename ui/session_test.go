package ui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// TestStrangerCannotTakeAFreshAppliance: every way in without the code fails,
// and with an account the page is gone.
func TestStrangerCannotTakeAFreshAppliance(t *testing.T) {
	f := newFake(time.Now)
	v := &visitor{t: t, c: newConsole(t, f)}
	for _, path := range []string{"/", "/devices", "/admin/security", "/login"} {
		if res := v.get(path); res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/setup" {
			t.Errorf("%s: %d to %q", path, res.Code, res.Header().Get("Location"))
		}
	}
	v.get("/setup")
	for _, code := range []string{"", "guess", "k7m2-x9wq-p4te"} {
		res := v.post("/setup", map[string]string{"code": code, "name": "mallory", "password": "long enough password"})
		if res.Code != http.StatusUnprocessableEntity || len(f.accounts) != 0 {
			t.Fatalf("code %q: %d, %d accounts", code, res.Code, len(f.accounts))
		}
	}
	res := v.post("/setup", map[string]string{"code": f.code, "name": "anna", "password": "short"})
	if !strings.Contains(res.Body.String(), "at least 10 characters") {
		t.Error("a short password was not explained")
	}
	res = v.post("/setup", map[string]string{"code": " " + f.code + " ", "name": "anna", "password": "long enough password"})
	if res.Code != http.StatusSeeOther || f.accounts["anna"].Role != fleet.RoleAdministrator {
		t.Fatalf("the right code: %d", res.Code)
	}
	if res := v.get("/"); res.Code != http.StatusOK {
		t.Errorf("not signed in after set-up: %d", res.Code)
	}
	stranger := &visitor{t: t, c: v.c}
	stranger.get("/login")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		res := stranger.ask(method, "/setup", map[string]string{"csrf": stranger.csrf, "code": f.code, "name": "mallory", "password": "long enough password"})
		if res.Code != http.StatusNotFound || len(f.accounts) != 1 {
			t.Errorf("%s /setup with an account there: %d", method, res.Code)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	f := newFake(time.Now)
	f.addAccount("anna", "correct horse", fleet.RoleAdministrator)
	v := &visitor{t: t, c: newConsole(t, f)}
	v.get("/login?next=/devices%3Fq%3Dlab")
	res := v.post("/login", map[string]string{"name": "anna", "password": "correct horse", "next": "/devices?q=lab"})
	if res.Header().Get("Location") != "/devices?q=lab" {
		t.Errorf("after sign-in: %q", res.Header().Get("Location"))
	}
	var found bool
	for _, c := range res.Result().Cookies() {
		if c.Name == sessionCookie {
			found = true
			if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("weak cookie: %v", c)
			}
			if !c.Expires.IsZero() || c.MaxAge != 0 {
				t.Errorf("the browser drops it after a while, however much the console is used: %v", c)
			}
		}
	}
	if !found {
		t.Fatal("no session cookie")
	}
	old := v.cookies[sessionCookie]
	v.get("/me")
	v.post("/logout", nil)
	v.cookies[sessionCookie] = old
	if res := v.get("/devices"); res.Code != http.StatusSeeOther {
		t.Errorf("the cookie still works after signing out: %d", res.Code)
	}
}

func TestWrongPasswordsAreThrottled(t *testing.T) {
	f := newFake(time.Now)
	f.addAccount("anna", "correct horse", fleet.RoleAdministrator)
	v := &visitor{t: t, c: newConsole(t, f)}
	v.get("/login")
	for i := range 5 {
		res := v.post("/login", map[string]string{"name": "anna", "password": "wrong"})
		if res.Code != http.StatusUnauthorized || !strings.Contains(res.Body.String(), "not accepted") {
			t.Fatalf("try %d: %d", i, res.Code)
		}
		if strings.Contains(res.Body.String(), `value="wrong"`) {
			t.Fatal("the password came back")
		}
	}
	res := v.post("/login", map[string]string{"name": "anna", "password": "correct horse"})
	if res.Code != http.StatusTooManyRequests || res.Header().Get("Retry-After") != "12" {
		t.Errorf("throttled: %d, Retry-After %q", res.Code, res.Header().Get("Retry-After"))
	}
}

// TestNextStaysHere: a link to the sign-in page cannot lead elsewhere.
func TestNextStaysHere(t *testing.T) {
	for next, want := range map[string]string{
		"/devices?q=a": "/devices?q=a", "//evil.test": "/", "https://evil.test": "/", "/\\evil.test": "/", "javascript:alert(1)": "/",
		"": "/", "devices": "/", "/a\nb": "/", "/%5Cevil.test": "/%5Cevil.test",
	} {
		if got := ownPath(next); got != want {
			t.Errorf("%q became %q, not %q", next, got, want)
		}
	}
}

// TestForgedForms: a form without the token, with another's, or sent by another
// site changes nothing.
func TestForgedForms(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	f.addAccount("anna", "correct horse", fleet.RoleAdministrator)
	c := newConsole(t, f)
	v := &visitor{t: t, c: c}
	v.signIn("anna", "correct horse")
	other := &visitor{t: t, c: c}
	other.signIn("anna", "correct horse")
	right := v.csrf
	for what, try := range map[string]struct {
		token   string
		headers map[string]string
	}{
		"no token":        {"", nil},
		"another session": {other.csrf, nil},
		"another site":    {right, map[string]string{"Sec-Fetch-Site": "cross-site"}},
		"a sibling host":  {right, map[string]string{"Sec-Fetch-Site": "same-site"}},
		"another origin":  {right, map[string]string{"Origin": "https://evil.test"}},
		"the null origin": {right, map[string]string{"Origin": "null"}},
	} {
		v.csrf, v.headers = try.token, try.headers
		res := v.post("/devices/d0001/name", map[string]string{"name": "taken"})
		if res.Code != http.StatusForbidden || f.devices["d0001"].Name == "taken" {
			t.Errorf("%s: %d", what, res.Code)
		}
	}
	v.csrf, v.headers = right, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://slipway.test"}
	if res := v.post("/devices/d0001/name", map[string]string{"name": "PC-1"}); res.Code != http.StatusSeeOther {
		t.Errorf("our own form: %d", res.Code)
	}
	v.csrf = right
	if res := v.ask(http.MethodPost, "/devices/d0001/name?csrf="+right, map[string]string{"name": "by-query"}); res.Code != http.StatusForbidden {
		t.Errorf("a token in the address was taken: %d", res.Code)
	}
}

func TestLargeFormsAreRefused(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	f.addAccount("anna", "correct horse", fleet.RoleAdministrator)
	v := &visitor{t: t, c: newConsole(t, f)}
	v.signIn("anna", "correct horse")
	res := v.post("/devices/d0001/name", map[string]string{"name": strings.Repeat("x", formLimit)})
	if res.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", res.Code)
	}
}
