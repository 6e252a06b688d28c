package ui

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

func TestAccountForms(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	good := "quartz-Lantern 88"
	for _, try := range []struct{ name, role, one, two, want string }{
		{"", "viewer", good, good, "letters a to z"},
		{"eva", "root", good, good, "Use viewer, technician or administrator."},
		{"eva", "viewer", "short", "short", "at least 10"},
		{"eva", "viewer", good, "other", "do not match"},
		{"viewer", "viewer", good, good, "This name is taken."},
	} {
		res := v.post("/admin/accounts", map[string]string{"name": try.name, "role": try.role, "password": try.one, "repeat": try.two})
		if res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), try.want) || strings.Contains(res.Body.String(), good) {
			t.Errorf("%+v: %d", try, res.Code)
		}
	}
	if res := v.post("/admin/accounts", map[string]string{"name": "eva", "role": "technician", "password": good, "repeat": good}); res.Code != http.StatusSeeOther || f.accounts["eva"].Role != fleet.RoleTechnician {
		t.Fatalf("added: %d", res.Code)
	}
	for _, try := range []struct {
		path   string
		fields map[string]string
		status int
		want   string
	}{
		{"administrator/role", map[string]string{"role": "viewer"}, 422, "This is the last administrator"},
		{"administrator/remove", map[string]string{"confirm": "administrator"}, 422, "This is the last administrator"},
		{"eva/role", map[string]string{"role": "administrator"}, 303, ""},
		{"eva/break-glass", map[string]string{"on": "yes"}, 303, ""},
		{"eva/password", map[string]string{"password": "short", "repeat": "short"}, 422, "at least 10"},
		{"eva/password", map[string]string{"password": good, "repeat": "x"}, 422, "do not match"},
		{"eva/password", map[string]string{"password": good + "!", "repeat": good + "!"}, 303, ""},
		{"eva/remove", map[string]string{"confirm": "yes"}, 422, "type its name"},
		{"nobody/role", map[string]string{"role": "viewer"}, 404, ""},
	} {
		res := v.post("/admin/accounts/"+try.path, try.fields)
		if res.Code != try.status || !strings.Contains(res.Body.String(), try.want) {
			t.Errorf("%s %v: %d", try.path, try.fields, res.Code)
		}
	}
	if a := f.accounts["eva"]; a.Role != fleet.RoleAdministrator || !a.BreakGlass || f.passwords["eva"] != good+"!" {
		t.Errorf("kept: %+v", a)
	}
	f.settings["console.local"] = "off"
	if res := v.post("/admin/accounts/eva/break-glass", map[string]string{"on": "no"}); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "would lock out") {
		t.Errorf("the last break-glass account: %d", res.Code)
	}
	if res := v.post("/admin/accounts/eva/remove", map[string]string{"confirm": " eva "}); res.Code != http.StatusSeeOther || f.accounts["eva"].Name != "" {
		t.Errorf("removed: %d", res.Code)
	}
	if res := v.post("/admin/accounts/administrator/password", map[string]string{"password": good, "repeat": good}); res.Header().Get("Location") != "/login" {
		t.Errorf("one's own password leads to %q", res.Header().Get("Location"))
	}
}

// TestTokenIsShownOnce: its value stands on one page and never again.
func TestTokenIsShownOnce(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	for _, fields := range []map[string]string{{"name": "", "life": "24h"}, {"name": "x", "life": "soon"}, {"name": "x", "life": "100000h"}, {"name": "inventory-sync", "life": "24h"}} {
		fields["role"] = "viewer"
		if res := v.post("/admin/tokens", fields); res.Code != http.StatusUnprocessableEntity || strings.Contains(res.Body.String(), "swa_") {
			t.Errorf("%v: %d", fields, res.Code)
		}
	}
	res := v.post("/admin/tokens", map[string]string{"name": "reports", "role": "viewer", "life": "720h"})
	if res.Code != http.StatusOK || !strings.Contains(res.Body.String(), "swa_3q9J") || res.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("added: %d", res.Code)
	}
	body := v.get("/admin/accounts").Body.String()
	if strings.Contains(body, "swa_3q9J") || !strings.Contains(body, "reports") {
		t.Error("the value is shown again, or the token is not listed")
	}
	id := f.tokens[len(f.tokens)-1].ID
	if res := v.post("/admin/tokens/revoke", map[string]string{"token": id}); res.Code != http.StatusSeeOther || f.tokens[len(f.tokens)-1].ID == id {
		t.Errorf("revoked: %d", res.Code)
	}
}

// TestRevokingKeepsToItsKind: a technician signs devices out, and cannot end a
// script's token by the same form.
func TestRevokingKeepsToItsKind(t *testing.T) {
	f, c := furnished(t)
	n := len(f.tokens)
	tech := signedIn(t, c, fleet.RoleTechnician)
	if res := tech.post("/devices/signed-in/revoke", map[string]string{"token": "4e55a6b7c8d9"}); res.Code != http.StatusNotFound || len(f.tokens) != n {
		t.Errorf("a technician ended a script's token: %d", res.Code)
	}
	admin := signedIn(t, c, fleet.RoleAdministrator)
	if res := admin.post("/admin/tokens/revoke", map[string]string{"token": "0a11c2d3e4f5"}); res.Code != http.StatusNotFound || len(f.tokens) != n {
		t.Errorf("a device's token was ended as a script's: %d", res.Code)
	}
	res := tech.post("/devices/signed-in/revoke", map[string]string{"token": "0a11c2d3e4f5", "device": "d0001"})
	if res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/devices/d0001?done=revoked" || len(f.tokens) != n-1 {
		t.Errorf("signed out: %d to %q", res.Code, res.Header().Get("Location"))
	}
	if body := tech.get("/devices/d0001").Body.String(); !strings.Contains(body, "It is not signed in.") {
		t.Error("the device's page still lists it")
	}
	if body := tech.get("/devices/d0002").Body.String(); !strings.Contains(body, "Passcode site-leipzig") {
		t.Error("another device's page does not list its own")
	}
	if body := signedIn(t, c, fleet.RoleViewer).get("/devices/d0002").Body.String(); strings.Contains(body, "revoke") {
		t.Error("a viewer is offered to revoke")
	}
}

var tokenRow = regexp.MustCompile(`<td class="name"><a href="/devices/([^"]+)"`)

func TestSignedInDevicesAreFiltered(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleTechnician)
	list := func(path string) (out []string) {
		for _, m := range tokenRow.FindAllStringSubmatch(v.get(path).Body.String(), -1) {
			out = append(out, m[1])
		}
		return out
	}
	for query, want := range map[string]string{"": "[d0002 d0001 d0003]", "?status=entra": "[d0001]", "?q=mia": "[d0001]", "?q=leipzig": "[d0002]",
		"?sort=device": "[d0001 d0002 d0003]", "?sort=expires": "[d0003 d0001 d0002]", "?q=nobody": "[]"} {
		if query == "?sort=expires" {
			f.tokens[1].ExpiresAt = f.tokens[0].ExpiresAt.Add(time.Minute)
		}
		if got := fmt.Sprint(list("/devices/signed-in" + query)); got != want {
			t.Errorf("%q: %s, not %s", query, got, want)
		}
	}
	for i := range 250 {
		f.tokens = append(f.tokens, fleet.Token{ID: fmt.Sprintf("t%03d", i), Kind: fleet.TokenDevice, DeviceID: "d0009", CreatedAt: f.now(), ExpiresAt: f.now().Add(time.Hour)})
	}
	if got := len(list("/devices/signed-in")); got != pageSize {
		t.Errorf("%d rows on one page", got)
	}
	if got := len(list("/devices/signed-in?page=3")); got != 53 {
		t.Errorf("%d rows on the last page", got)
	}
}
