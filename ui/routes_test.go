package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// TestEveryRouteStatesAnAccessRule walks the table: a route without a rule, or a
// rule that lets strangers change something, fails here and not in the field.
func TestEveryRouteStatesAnAccessRule(t *testing.T) {
	open := map[string]bool{"GET /login": true, "POST /login": true, "GET /login/provider": true, "GET /login/callback": true,
		"GET /setup": true, "POST /setup": true}
	for _, r := range routes() {
		if err := r.check(); err != nil {
			t.Error(err)
		}
		name := r.method + " " + r.path
		if (r.access == everyone || r.access == setupOnly) != open[name] {
			t.Errorf("%s is open to strangers: %v", name, r.access)
		}
		if r.method == http.MethodPost && r.access == viewer && r.path != "/logout" && !strings.HasPrefix(r.path, "/me/") {
			t.Errorf("%s lets a viewer change something", name)
		}
	}
	if (route{method: http.MethodGet, path: "/x", handle: (*Console).showMe}).check() == nil {
		t.Error("a route without an access rule passed the check")
	}
}

// TestNothingIsServedBesideTheTable: a route registered some other way would
// escape the rules above.
func TestNothingIsServedBesideTheTable(t *testing.T) {
	known := map[string]bool{"GET /static/*name": true, "HEAD /static/*name": true, "GET /favicon.ico": true}
	for _, r := range routes() {
		known[r.method+" "+r.path] = true
		if r.method == http.MethodGet {
			known["HEAD "+r.path] = true
		}
	}
	for _, r := range newConsole(t, newFake(time.Now)).engine.Routes() {
		if !known[r.Method+" "+r.Path] {
			t.Errorf("%s %s is served without an access rule", r.Method, r.Path)
		}
	}
}

// TestRolesAreKept asks for every route as every role and as a stranger.
func TestRolesAreKept(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	for _, r := range []fleet.Role{fleet.RoleViewer, fleet.RoleTechnician, fleet.RoleAdministrator} {
		f.addAccount(string(r), "correct horse", r)
	}
	c := newConsole(t, f)
	for _, r := range routes() {
		need := r.access.role()
		if need == "" || r.path == "/events" || r.path == "/logout" {
			continue
		}
		path := strings.NewReplacer(":id", "d0001", ":upload", "u1").Replace(r.path)
		if strings.HasPrefix(path, "/deployments/") {
			path = strings.ReplaceAll(path, "d0001", "run1")
		}
		for _, have := range []fleet.Role{"", fleet.RoleViewer, fleet.RoleTechnician, fleet.RoleAdministrator} {
			v := &visitor{t: t, c: c}
			if have != "" {
				v.signIn(string(have), "correct horse")
			}
			before := len(f.audit)
			v.headers = map[string]string{tokenHeader: v.csrf}
			res := v.ask(r.method, path, map[string]string{"csrf": v.csrf})
			switch {
			case have == "" && ((r.method == http.MethodGet || r.method == http.MethodHead) && !strings.HasPrefix(res.Header().Get("Location"), "/login") || res.Code != http.StatusSeeOther):
				t.Errorf("stranger, %s %s: %d to %q", r.method, path, res.Code, res.Header().Get("Location"))
			case have != "" && !have.Includes(need) && res.Code != http.StatusForbidden:
				t.Errorf("%s, %s %s: %d, not 403", have, r.method, path, res.Code)
			case have.Includes(need) && res.Code == http.StatusForbidden:
				t.Errorf("%s may not %s %s", have, r.method, path)
			}
			if !have.Includes(need) && len(f.audit) != before {
				t.Errorf("%s changed something by %s %s", have, r.method, path)
			}
		}
	}
}

// TestHeaders: what every answer carries, errors and assets included.
func TestHeaders(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	f.addAccount("anna", "correct horse", fleet.RoleAdministrator)
	c := newConsole(t, f)
	v := &visitor{t: t, c: c}
	for _, path := range []string{"/login", "/", "/no-such", c.assets.URL("console.js"), "/static/other/console.js"} {
		h := v.ask(http.MethodGet, path, nil).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self';", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=",
		} {
			if !strings.HasPrefix(h.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy allows something unsafe")
	}
}

func TestAssets(t *testing.T) {
	c := newConsole(t, newFake(time.Now))
	for _, name := range c.assets.Names() {
		res := httptest.NewRecorder()
		c.ServeHTTP(res, httptest.NewRequest(http.MethodGet, c.assets.URL(name), nil))
		if res.Code != http.StatusOK || !strings.Contains(res.Header().Get("Cache-Control"), "immutable") || res.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d, %q, %q", name, res.Code, res.Header().Get("Cache-Control"), res.Header().Get("Content-Type"))
		}
	}
	for _, path := range []string{"/static/0000000000000000/console.js", "/static/", "/static/..%2fassets.go", c.assets.URL("../assets.go"), c.assets.URL("missing.js")} {
		res := httptest.NewRecorder()
		c.ServeHTTP(res, httptest.NewRequest(http.MethodGet, path, nil))
		if res.Code == http.StatusOK {
			t.Errorf("%s was served", path)
		}
	}
}
