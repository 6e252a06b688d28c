package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"slipway/fleet"
	"slipway/ui/browsertest"
)

// TestSecurityByHand sets up Entra ID as an administrator would: open the card,
// a mistake, the right values, the test, and anonymous sign-in with its question.
func TestSecurityByHand(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 900, "light")
	tb.signIn()
	tb.open("/admin/security")
	tb.press("#card-entra > summary")
	tb.until("the card to open", `document.querySelector("#card-entra").open`)
	tb.press("#entra")
	tb.fill("#entra-tenant", "common")
	tb.fill("#entra-client-id", "1b2c3d4e")
	tb.fill("#entra-roles", "Slipway.Deploy")
	tb.press("#card-entra .primary")
	tb.until("the reason beside the field", `document.querySelector("#entra-tenant-err")?.textContent.includes("Name your own tenant") && document.querySelector("#card-entra").open`)
	tb.shot("entra-wrong-1280-light")
	if got := eval[string](tb, `document.querySelector("#entra-client-id").value + " " + document.querySelector("#entra").checked`); got != "1b2c3d4e true" {
		t.Errorf("what was typed is lost: %s", got)
	}
	tb.fill("#entra-tenant", "contoso.onmicrosoft.com")
	tb.press("#card-entra .primary")
	tb.until("the card saved and open", `document.querySelector(".banner.good")?.textContent.includes("in force from now on") && document.querySelector("#card-entra").open && document.querySelector("#card-entra .badge").textContent.includes("On")`)
	tb.until("the preview", `document.querySelector("[data-region=preview]").textContent.includes("Entra ID")`)
	tb.press(`#card-entra [formaction^="/admin/security/test"]`)
	tb.until("what the test found", `document.querySelector("#card-entra .found")?.textContent.includes("The device code flow is offered.")`)
	tb.shot("entra-tested-1280-light")
	tb.noComplaints("entra")
	for _, problem := range eval[[]string](tb, accessibility) {
		t.Errorf("entra, tested: %s", problem)
	}

	tb.open("/admin/security?open=anonymous")
	tb.press("#anonymous")
	tb.press("#card-anonymous .primary")
	tb.until("the question", `document.querySelector("h1")?.textContent.includes("Let anyone deploy")`)
	for _, problem := range eval[[]string](tb, accessibility) {
		t.Errorf("the question: %s", problem)
	}
	tb.shot("anonymous-confirm-1280-light")
	if s.settings["anonymous"] == "on" {
		t.Fatal("it is on before anybody confirmed")
	}
	tb.until("the focus on the safe way", `document.activeElement?.textContent === "Leave everything as it is"`)
	tb.keys("\r")
	tb.until("everything as it was", `location.pathname === "/admin/security" && !document.querySelector("#anonymous").checked`)
	tb.press("#anonymous")
	tb.press("#card-anonymous .primary")
	tb.until("the question again", `document.querySelector("h1")?.textContent.includes("Let anyone deploy")`)
	tb.press(".danger.solid")
	tb.until("the warning", `document.querySelector(".warnings .banner")?.textContent.includes("Anonymous sign-in is on")`)
	tb.shot("anonymous-on-1280-light")
	tb.open("/devices")
	tb.until("the warning on another page", `document.querySelector(".warnings .banner")?.textContent.includes("Anonymous sign-in is on")`)
	s.change(Change{Kind: ChangeSecurity}, func() { s.settings["anonymous"] = "off" })
	tb.until("the warning to go by itself", `!document.querySelector(".warnings .banner")`)
	tb.noComplaints("anonymous")
}

// TestSecurityByKeyboard opens a card, switches it and saves without a pointer.
func TestSecurityByKeyboard(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 900, "dark")
	tb.signIn()
	tb.pair("gy")
	tb.until("security", `location.pathname === "/admin/security" && document.readyState === "complete"`)
	tb.do(chromedp.Focus(chromedp.CSS("#card-passcode > summary")))
	tb.keys("\r")
	tb.until("the card to open", `document.querySelector("#card-passcode").open`)
	tb.do(chromedp.Focus(chromedp.CSS("#passcode-fullos")))
	tb.keys(" ")
	tb.keys("\t\r")
	tb.until("it saved", `document.querySelector(".banner.good")?.textContent.includes("in force from now on")`)
	if s.settings["passcode.fullos"] != "off" {
		t.Errorf("passcode.fullos is %q", s.settings["passcode.fullos"])
	}
	tb.open("/devices/signed-in")
	tb.do(chromedp.Focus(chromedp.CSS("[aria-label='Sign out PC-0040']")))
	tb.keys("\r")
	tb.until("the question", `document.activeElement?.textContent === "Keep it"`)
	tb.shot("sign-out-1280-dark")
	tb.do(escape())
	tb.until("the focus back", `document.activeElement?.getAttribute("aria-label") === "Sign out PC-0040"`)
	tb.noComplaints("by keyboard")
}

// TestAccessByHand adds an account and a token, and signs a device out.
func TestAccessByHand(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 900, "light")
	tb.signIn()
	tb.open("/admin/accounts")
	tb.fill("#name", "eva")
	tb.fill("#password", "short")
	tb.fill("#repeat", "short")
	tb.press(`form[action="/admin/accounts"] .primary`)
	tb.until("the reason", `document.querySelector("#password-err")?.textContent.includes("at least 10")`)
	tb.shot("account-wrong-1280-light")
	tb.fill("#password", "quartz-Lantern 88")
	tb.fill("#repeat", "quartz-Lantern 88")
	tb.press(`form[action="/admin/accounts"] .primary`)
	tb.until("the account", `document.querySelector("[data-region=accounts]").textContent.includes("eva")`)
	tb.fill("#token-name", "reports")
	tb.press(`form[action="/admin/tokens"] .btn`)
	tb.until("the value, once", `document.querySelector("#new-token")?.textContent.startsWith("swa_")`)
	tb.shot("token-added-1280-light")
	for _, problem := range eval[[]string](tb, accessibility) {
		t.Errorf("token added: %s", problem)
	}
	tb.open("/admin/accounts/mia.koch")
	tb.shot("account-provider-1280-light")
	tb.open("/devices/d0001")
	tb.press("[data-region=device-tokens] .btn")
	tb.until("the question", `document.activeElement?.textContent === "Keep it"`)
	tb.press("[data-region=device-tokens] .danger.solid")
	tb.until("it signed out", `document.querySelector("[data-region=device-tokens]")?.textContent.includes("It is not signed in.")`)
	tb.open("/devices/signed-in")
	rows := eval[int](tb, `document.querySelectorAll("tbody tr").length`)
	s.change(Change{Kind: ChangeAccess}, func() {
		s.tokens = append(s.tokens, fleet.Token{ID: "77", Kind: fleet.TokenDevice, DeviceID: "d0007", Mechanism: fleet.MechanismCertificate, Actor: "PC-0046.corp.example", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
	})
	tb.do(clickAt(700, 20))
	tb.until("the new one by itself", `document.querySelectorAll("tbody tr").length === `+itoa(rows+1))
	tb.noComplaints("access")
}

// TestSignInWithProvider shows the sign-in page in its forms.
func TestSignInWithProvider(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	s.settings["console"], s.settings["console.name"] = "on", "Contoso"
	for _, look := range []struct {
		width  int64
		scheme string
	}{{1280, "light"}, {390, "dark"}} {
		tb := openTab(t, browser, s, look.width, 844, look.scheme)
		s.settings["console.local"] = "on"
		tb.open("/login?next=/devices")
		tb.until("the button", `document.querySelector("a.btn.primary")?.textContent.trim() === "Sign in with Contoso"`)
		tb.shot(shotName("login-provider", look.width, look.scheme))
		s.settings["console.local"] = "off"
		tb.open("/login/callback?state=s1&error=access_denied")
		tb.until("the reason", `document.querySelector(".banner.bad")?.textContent.includes("took too long")`)
		for _, problem := range eval[[]string](tb, accessibility) {
			t.Errorf("sign-in at %d: %s", look.width, problem)
		}
		tb.shot(shotName("login-late", look.width, look.scheme))
		tb.noComplaints("sign-in")
	}
}

// TestNamedPasscodeByHand adds one with the suggestion and a scope.
func TestNamedPasscodeByHand(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 390, 844, "light")
	tb.signIn()
	tb.open("/admin/security/passcodes/add")
	tb.fill("#name", "night-shift")
	tb.press("[data-fill]")
	tb.press(`input[name=sequence][value=office]`)
	tb.do(chromedp.SendKeys(chromedp.CSS("#devices"), "PC-9999"))
	tb.press("main .primary")
	tb.until("the reason", `document.querySelector("#devices-err")?.textContent.includes("No device is called")`)
	tb.shot("passcode-wrong-390-light")
	for _, problem := range eval[[]string](tb, accessibility) {
		t.Errorf("a wrong device: %s", problem)
	}
	tb.press("[data-fill]")
	tb.fill("#devices", "PC-0041")
	tb.press("main .primary")
	tb.until("the list", `document.querySelector("[data-region=named]")?.textContent.includes("night-shift")`)
	if !strings.Contains(s.put.Value, "plinth walrus") || len(s.put.Scope.Devices) != 1 {
		t.Errorf("set: %+v", s.put)
	}
	tb.noComplaints("passcode")
}
