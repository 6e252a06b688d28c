package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/oidc/oidctest"
	"slipway/fleet"
	"slipway/ui"
)

// TestEverySettingHasItsField: a setting that the service gains and the page lacks
// could be changed by commands only, and nobody would notice.
func TestEverySettingHasItsField(t *testing.T) {
	b := newBench(t)
	b.signIn("anna")
	body := b.get("/admin/security").Body.String()
	kinds := map[string]bool{ui.KindSwitch: true, ui.KindText: true, ui.KindList: true, ui.KindPEM: true, ui.KindSecret: true}
	for _, k := range auth.SignInKeys(fleet.SignIn{}) {
		if !strings.Contains(body, fmt.Sprintf(`name="%s"`, k.Name)) {
			t.Errorf("%s has no field on the page", k.Name)
		}
		if !kinds[k.Kind] {
			t.Errorf("%s is of a kind the console does not know: %s", k.Name, k.Kind)
		}
		if ui.TestConsole != auth.MechanismConsole {
			t.Error("the console's provider cannot be tested")
		}
	}
}

// TestSignInSettings goes through the real service: errors beside fields, the
// question before anonymous sign-in, the lockout, warnings and preview.
func TestSignInSettings(t *testing.T) {
	b := newBench(t)
	b.signIn("anna")
	b.wants(b.get("/"), http.StatusOK, "No sign-in mechanism is configured:")
	const settings = "/admin/security/settings"
	b.wants(b.post(settings, "card", "entra", "entra.tenant", "common"), http.StatusUnprocessableEntity, `id="entra-tenant-err"`, `value="common"`)
	b.wants(b.post(settings, "card", "entra", "entra", "on"), http.StatusUnprocessableEntity, `id="entra-tenant-err"`, "Name the tenant")
	const tenant = "1f0c9a52-6d3b-4e8f-9a70-b2c4d6e8f012"
	b.wants(b.post(settings, "card", "entra", "entra", "on", "entra.tenant", tenant, "entra.client_id", "1b2c", "entra.roles", "Deploy", "entra.client_secret", "hunter2-secret"), http.StatusSeeOther)
	b.wants(b.get("/admin/security?open=entra"), http.StatusOK, tenant, "Set. Type a new one to replace it.", "Entra ID")
	if body := b.get("/admin/security").Body.String(); strings.Contains(body, "hunter2") || !strings.Contains(body, `<span class="way">Entra ID</span>`) {
		t.Error("the secret is shown, or the preview does not follow")
	}
	b.wants(b.post(settings, "card", "anonymous", "anonymous", "off", "anonymous", "on"), http.StatusOK, "erase every disk", "Switch anonymous sign-in on")
	if v, err := b.auth.SignInSettings(t.Context()); err != nil || v.Anonymous {
		t.Fatal("it is on before anybody confirmed", err)
	}
	b.wants(b.post(settings, "card", "anonymous", "anonymous", "on", "confirm", "yes"), http.StatusSeeOther)
	b.wants(b.get("/devices"), http.StatusOK, "Anonymous sign-in is on:")
	b.wants(b.post(settings, "card", "anonymous", "anonymous", "off"), http.StatusSeeOther)
	b.wants(b.post(settings, "card", "local", "console.local", "off"), http.StatusUnprocessableEntity, `id="console-local-err"`, "This would lock out the administrators: ")
	b.wants(b.post("/admin/security/test", "mechanism", "passcode"), http.StatusOK, "no passcode is set")
	b.wants(b.post("/admin/security/passcode/reminder", "days", "9999"), http.StatusUnprocessableEntity, `id="days-err"`)
	b.wants(b.post("/admin/security/passcode/reminder", "days", "90"), http.StatusSeeOther)
	b.wants(b.get("/audit?action=signin."), http.StatusOK, "anna", "anonymous")
	b.wants(b.get("/audit/export?format=csv&action=signin."), http.StatusOK, "signin.changed")
}

// TestPasscodes sets the shared one and a named one, rotates and removes.
func TestPasscodes(t *testing.T) {
	b := newBench(t)
	b.signIn("anna")
	const value = "plinth walrus ochre 47"
	b.wants(b.post("/admin/security/passcode", "passcode", "abcd", "repeat", "abcd"), http.StatusUnprocessableEntity, `id="passcode-err"`, "Use it anyway")
	b.wants(b.post("/admin/security/passcode", "passcode", value, "repeat", value), http.StatusSeeOther)
	b.wants(b.post("/admin/security/passcodes/add", "name", "two words", "passcode", value, "repeat", value), http.StatusUnprocessableEntity, `id="name-err"`)
	b.wants(b.post("/admin/security/passcodes/add", "name", "night", "passcode", value+" x", "repeat", value+" x", "networks", "192.0.2.1/99"), http.StatusUnprocessableEntity, `id="scope-err"`)
	b.wants(b.post("/admin/security/passcodes/add", "name", "night", "passcode", value+" x", "repeat", value+" x", "life", "24h", "uses", "3", "networks", "192.0.2.0/24"), http.StatusSeeOther)
	b.wants(b.get("/admin/security?open=passcode"), http.StatusOK, "by anna", "night", "Network 192.0.2.0/24", "0 of 3")
	b.wants(b.post("/admin/security/passcodes/add", "rotates", "yes", "name", "night", "passcode", value+" y", "repeat", value+" y", "uses", "3", "overlap", "1h"), http.StatusSeeOther)
	b.wants(b.post("/admin/security/passcodes/remove", "name", "night"), http.StatusSeeOther)
	b.wants(b.post("/admin/security/passcodes/remove", "name", "night"), http.StatusNotFound)
	b.wants(b.post("/admin/security/passcode/clear", "confirm", "clear"), http.StatusSeeOther)
	b.wants(b.get("/"), http.StatusOK, "No sign-in mechanism is configured:")
	if words := b.get("/admin/security").Body.String(); strings.Contains(words, `id="suggestion"></code>`) {
		t.Error("nothing is suggested")
	}
}

// TestAccountsAndTokens: the last administrator, break-glass, tokens by their kind.
func TestAccountsAndTokens(t *testing.T) {
	b := newBench(t)
	b.signIn("anna")
	b.wants(b.post("/admin/accounts/anna/role", "role", "viewer"), http.StatusUnprocessableEntity, "This is the last administrator: make another one first.")
	b.wants(b.post("/admin/accounts", "name", "Tom", "role", "viewer", "password", password, "repeat", password), http.StatusUnprocessableEntity, "This name is taken.")
	b.wants(b.post("/admin/accounts", "name", "eva", "role", "viewer", "password", "eva", "repeat", "eva"), http.StatusUnprocessableEntity, `id="password-err"`)
	b.wants(b.post("/admin/accounts/anna/break-glass", "on", "yes"), http.StatusSeeOther)
	b.wants(b.get("/admin/accounts"), http.StatusOK, "break-glass", "Technician")
	b.wants(b.post("/admin/tokens", "name", "reports", "role", "viewer", "life", "720h"), http.StatusOK, "swa_")
	b.wants(b.post("/admin/tokens", "name", "reports", "role", "viewer", "life", "720h"), http.StatusUnprocessableEntity, "This name is taken.")
	scripts, err := b.auth.ListTokens(t.Context())
	if err != nil || len(scripts) != 1 {
		t.Fatal(len(scripts), err)
	}
	if err := b.auth.SetPasscode(t.Context(), auth.Actor{Name: "local"}, "plinth walrus ochre 47", false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.auth.SignInPasscode(t.Context(), "plinth walrus ochre 47", "", fleet.Claim{Serial: "s1"}, auth.Caller{}); err != nil {
		t.Fatal(err)
	}
	devices, err := b.auth.ListDeviceTokens(t.Context())
	if err != nil || len(devices) != 1 {
		t.Fatal(len(devices), err)
	}
	b.wants(b.post("/admin/tokens/revoke", "token", devices[0].ID), http.StatusNotFound)
	b.wants(b.post("/devices/signed-in/revoke", "token", scripts[0].ID), http.StatusNotFound)
	b.wants(b.get("/devices/signed-in"), http.StatusOK, devices[0].ID)
	b.signIn("tom")
	b.wants(b.post("/devices/signed-in/revoke", "token", devices[0].ID), http.StatusSeeOther)
	b.wants(b.get("/devices/signed-in"), http.StatusOK, "No device is signed in")
	b.signIn("anna")
	b.wants(b.post("/admin/tokens/revoke", "token", scripts[0].ID), http.StatusSeeOther)
}

// TestExportOfTheAuditLogIsAnEntry, as it is when a script exports it.
func TestExportOfTheAuditLogIsAnEntry(t *testing.T) {
	b := newBench(t)
	b.signIn("anna")
	b.wants(b.get("/audit/export?format=csv"), http.StatusOK, ",anna,audit.exported,csv,,192.0.2.50,ok,")
}

// TestProvider signs a person in at a real OpenID provider, through the routes a
// browser takes, and refuses one without a role.
func TestProvider(t *testing.T) {
	op, err := oidctest.Start(oidctest.Options{TLS: true, Clients: []oidctest.Client{{ID: "slipway", Redirects: []string{"https://slipway.example:8443/login/callback"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := op.Close(); err != nil {
			t.Error(err)
		}
	})
	b := newBench(t)
	b.wants(b.get("/login/provider"), http.StatusForbidden, "Not allowed here.")
	b.signIn("anna")
	b.wants(b.post("/admin/security/settings", "card", "console", "console", "on", "console.name", "Contoso", "console.issuer", op.Issuer, "console.client_id", "slipway",
		"console.ca", op.CA(), "console.technicians", "Deploy"), http.StatusSeeOther)
	b.wants(b.post("/admin/security/test", "mechanism", "console"), http.StatusOK, "The test went well.")
	b.wants(b.post("/logout"), http.StatusSeeOther)
	b.wants(b.get("/login?next=/devices"), http.StatusOK, "Sign in with Contoso")
	visit := func(user string) string {
		t.Helper()
		res := b.get("/login/provider?next=/devices")
		back, err := op.Browse(res.Header().Get("Location"), user)
		if err != nil {
			t.Fatalf("%d: %v", res.Code, err)
		}
		return "/login/callback?" + back.RawQuery
	}
	b.wants(b.get(visit("id2")), http.StatusForbidden, "no role in Slipway")
	answer := visit("id1")
	res := b.get(answer)
	if res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/devices" {
		t.Fatalf("%d to %q: %s", res.Code, res.Header().Get("Location"), res.Body)
	}
	b.wants(b.get("/me"), http.StatusOK, "anna@example.test", "Technician")
	b.wants(b.get("/admin/accounts"), http.StatusForbidden)
	b.wants(b.post("/logout"), http.StatusSeeOther)
	b.wants(b.get(answer), http.StatusGone, "Start again")
	if err := op.Down(); err != nil {
		t.Fatal(err)
	}
	b.cookies = map[string]string{}
	for deadline := time.Now().Add(30 * time.Second); ; {
		res := b.get("/login/provider")
		if res.Code == http.StatusServiceUnavailable {
			b.wants(res, http.StatusServiceUnavailable, "does not answer", `id="password"`)
			break
		}
		// The provider's metadata is remembered for a while: the address is known,
		// and the browser itself would find that nobody answers there.
		if to, err := url.Parse(res.Header().Get("Location")); res.Code == http.StatusSeeOther && err == nil && strings.HasPrefix(to.String(), op.Issuer) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("provider down: %d", res.Code)
		}
	}
}
