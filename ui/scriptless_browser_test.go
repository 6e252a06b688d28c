package ui

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"slipway/ui/browsertest"
)

// TestWithoutScripts: signing in, setting the passcode, filtering, assigning,
// catalogues and cancelling work in a browser that runs no script at all.
func TestWithoutScripts(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	if _, err := chromedp.Call(tb.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	tb.open("/login")
	tb.fill("#name", "anna")
	tb.fill("#password", "correct horse")
	tb.press("form button")
	tb.do(chromedp.WaitVisible(chromedp.CSS("#att-h")))

	tb.open("/admin/security")
	tb.press("#card-passcode > summary")
	tb.fill("#passcode", "bcdefghjkrst")
	tb.fill("#repeat", "bcdefghjkrst")
	tb.press(`form[action^="/admin/security/passcode"] .primary`)
	tb.do(chromedp.WaitVisible(chromedp.CSS(".banner.good")))
	if s.passcode != "bcdefghjkrst" {
		t.Errorf("the appliance got %q", s.passcode)
	}

	tb.open("/admin/security?open=anonymous")
	tb.press("#anonymous")
	tb.press("#card-anonymous .primary")
	tb.do(chromedp.WaitVisible(chromedp.CSS(".danger.solid")))
	tb.press(".danger.solid")
	tb.do(chromedp.WaitVisible(chromedp.CSS(".warnings .banner")))
	tb.open("/admin/security/passcodes/add?name=contractor")
	tb.press("[popovertarget=remove]")
	tb.press("#remove .solid")
	tb.do(chromedp.WaitVisible(chromedp.CSS(".banner.good")))
	if len(s.named) != 2 {
		t.Errorf("%d named passcodes", len(s.named))
	}
	tb.open(cataloguesPage)
	tb.press("[popovertarget=remove-3]")
	tb.press("#remove-3 .solid")
	tb.do(chromedp.WaitVisible(chromedp.CSS(".banner.good")))
	tb.press(`[aria-label="Refresh hp"]`)
	tb.until("the word that it was read anew", `location.search.includes("catalogue-read") && document.readyState === "complete"`) // the page before has a banner too
	if len(s.catalogues) != 3 || s.catalogues[1].Problem != "" {
		t.Errorf("%+v", s.catalogues)
	}
	tb.open("/deployments/run1")
	tb.press("[popovertarget=cancel]")
	tb.do(chromedp.WaitVisible(chromedp.CSS("#cancel .solid")))
	tb.press("#cancel .solid")
	tb.do(chromedp.WaitVisible(chromedp.CSS(".banner.good")))
	if s.deployments["run1"].Order != "cancel" {
		t.Error("the deployment was not cancelled")
	}
	tb.shot("without-scripts-1280-light")
}

// TestNarrowMenu: on a phone the navigation is a drawer behind one button, and
// between phone and desk it is a column of named icons.
func TestNarrowMenu(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 390, 844, "light")
	tb.signIn()
	tb.press("[popovertarget=drawer]")
	tb.do(chromedp.WaitVisible(chromedp.CSS(`#drawer a[href="/devices"]`)))
	tb.shot("drawer-390-light")
	tb.press(`#drawer a[href="/devices"]`)
	tb.until("devices", `location.pathname === "/devices" && document.readyState === "complete"`)
	tb.do(chromedp.EmulateViewport(900, 700))
	tb.until("icons without words", `getComputedStyle(document.querySelector(".app > .side .label")).display === "none"`)
	for _, problem := range eval[[]string](tb, accessibility) {
		t.Errorf("at 900: %s", problem)
	}
	tb.shot("devices-900-light")
	tb.noComplaints("narrow")
}
