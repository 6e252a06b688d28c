package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// withProvider is a console whose people sign in with an OpenID provider.
func withProvider(t *testing.T) (*fake, *visitor) {
	t.Helper()
	f := newFake(time.Now)
	f.furnish()
	f.addAccount("anna", "correct horse", fleet.RoleAdministrator)
	f.settings["console"], f.settings["console.name"] = "on", "Contoso <b>"
	return f, &visitor{t: t, c: newConsole(t, f)}
}

// TestProviderSignIn goes there and back: the cookie between is short-lived and
// ours alone, and the way back leads to where one wanted to go.
func TestProviderSignIn(t *testing.T) {
	_, v := withProvider(t)
	body := v.get("/login?next=/devices%3Fq%3Dlab").Body.String()
	if !strings.Contains(body, "Sign in with Contoso &lt;b&gt;") || !strings.Contains(body, `href="/login/provider?next=%2Fdevices%3Fq%3Dlab"`) {
		t.Error("the sign-in page has no button")
	}
	res := v.get("/login/provider?next=/devices%3Fq%3Dlab")
	to, err := url.Parse(res.Header().Get("Location"))
	if err != nil || res.Code != http.StatusSeeOther || to.Host != "login.contoso.example" || to.Query().Get("redirect_uri") != "https://slipway.test/login/callback" {
		t.Fatalf("%d to %v", res.Code, to)
	}
	for _, c := range res.Result().Cookies() {
		if c.Name != providerCookie {
			continue
		}
		left := time.Until(c.Expires)
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || left < 5*time.Minute || left > 15*time.Minute || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("weak cookie: %v", c)
		}
	}
	if v.cookies[providerCookie] == "" {
		t.Fatal("no cookie")
	}
	res = v.get("/login/callback?state=s1&code=c1")
	if res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/devices?q=lab" || v.cookies[sessionCookie] == "" {
		t.Fatalf("back: %d to %q", res.Code, res.Header().Get("Location"))
	}
	if v.cookies[providerCookie] != "" {
		t.Error("the cookie between is still there")
	}
	if res.Header().Get("Cache-Control") != "no-store" || !strings.Contains(res.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Error("the way back may be cached or framed")
	}
	if res := v.get("/me"); !strings.Contains(res.Body.String(), "mia.koch") {
		t.Errorf("signed in as somebody else: %d", res.Code)
	}
	if res := v.get("/login/provider?next=//evil.test"); res.Header().Get("Location") != "/" {
		t.Errorf("signed in already: to %q", res.Header().Get("Location"))
	}
}

// TestProviderRefusals: each reason has its words and its status, and no session.
func TestProviderRefusals(t *testing.T) {
	for _, try := range []struct {
		err    error
		status int
		want   string
	}{
		{ErrWrong, 401, "was not accepted"},
		{ErrDenied, 403, "cancelled or denied"},
		{ErrRole, 403, "no role in Slipway"},
		{ErrLate, 410, "Start again"},
		{fmt.Errorf("dial: %w", ErrUnavailable), 503, "does not answer"},
		{&Throttled{RetryAfter: 9 * time.Second}, 429, "Wait 9 seconds"},
		{&Refused{Reason: "Another account of that name exists."}, 403, "Another account of that name exists."},
		{&FieldError{Field: "origin", Detail: "Use another address."}, 400, "Use another address."},
		{fmt.Errorf("internal detail"), 500, "Something went wrong"},
	} {
		f, v := withProvider(t)
		v.get("/login/provider")
		f.provider = try.err
		res := v.get("/login/callback?state=s1&code=c1")
		if res.Code != try.status || !strings.Contains(res.Body.String(), try.want) || v.cookies[sessionCookie] != "" || strings.Contains(res.Body.String(), "internal detail") {
			t.Errorf("%v: %d", try.err, res.Code)
		}
		if res := v.get("/login/provider"); try.status != 500 && (res.Code != try.status || !strings.Contains(res.Body.String(), `id="password"`)) {
			t.Errorf("%v at the beginning: %d", try.err, res.Code)
		}
	}
}

// TestCallbackIsGuarded: another browser's answer, one without a beginning, one
// in a frame or fetched by a script, and a HEAD lead nowhere.
func TestCallbackIsGuarded(t *testing.T) {
	_, v := withProvider(t)
	if res := v.get("/login/callback?state=s1&code=c1"); res.Code != http.StatusGone || v.cookies[sessionCookie] != "" {
		t.Errorf("without a beginning: %d", res.Code)
	}
	v.get("/login/provider")
	began := v.cookies[providerCookie]
	for what, headers := range map[string]map[string]string{
		"a frame":  {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"},
		"a script": {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"},
		"an image": {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"},
	} {
		v.headers = headers
		if res := v.get("/login/callback?state=s1&code=c1"); res.Code != http.StatusNotFound || v.cookies[sessionCookie] != "" || v.cookies[providerCookie] != began {
			t.Errorf("%s: %d", what, res.Code)
		}
	}
	v.headers = map[string]string{"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
	for _, path := range []string{"/login/callback?state=s1&code=c1", "/login/provider"} {
		if res := v.ask(http.MethodHead, path, nil); res.Code != http.StatusNotFound || v.cookies[sessionCookie] != "" {
			t.Errorf("HEAD %s: %d", path, res.Code)
		}
	}
	if res := v.get("/login/callback?state=other&code=c1"); res.Code != http.StatusGone || v.cookies[sessionCookie] != "" {
		t.Errorf("another state: %d", res.Code)
	}
	if res := v.get("/login/callback?state=s1&code=c1"); res.Code != http.StatusGone {
		t.Errorf("the same cookie twice: %d", res.Code)
	}
	v.cookies[providerCookie] = "secret-of-s1." + "Ly9ldmlsLnRlc3Q" // //evil.test
	if res := v.get("/login/callback?state=s1&code=c1"); res.Header().Get("Location") != "/" {
		t.Errorf("a forged address: to %q", res.Header().Get("Location"))
	}
}

// TestLocalPasswordsFoldAway: with local passwords off the form is there for
// break-glass accounts only, and says so.
func TestLocalPasswordsFoldAway(t *testing.T) {
	f, v := withProvider(t)
	f.settings["console.local"] = "off"
	if body := v.get("/login").Body.String(); !strings.Contains(body, "<summary>Break-glass account</summary>") || strings.Contains(body, `class="more" open`) {
		t.Error("the form is not folded away")
	}
	if body := v.post("/login", map[string]string{"name": "anna", "password": "wrong"}).Body.String(); !strings.Contains(body, `class="more" open`) {
		t.Error("the form with an error is folded away")
	}
	f.settings["console"] = "off"
	if body := v.get("/login").Body.String(); strings.Contains(body, "/login/provider") {
		t.Error("a button that leads nowhere")
	}
	if res := v.get("/login/provider"); res.Code != http.StatusForbidden || !strings.Contains(res.Body.String(), "Not allowed here.") {
		t.Errorf("%d", res.Code)
	}
}
