package ui

import (
	"testing"
	"time"

	"slipway/ui/browsertest"
)

// TestWinPEInTheBrowser: from the form to the running build, and a file that is not
// wimboot.
func TestWinPEInTheBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{1280, 800, "light"}, {1280, 800, "dark"}, {390, 844, "light"}, {390, 844, "dark"}} {
		s := startSite(t, true)
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		tb.open("/boot/images")
		tb.press(`a[href="/boot/images/winpe"]`)
		tb.until("the form", `document.querySelector("#source") !== null`)
		tb.press("details.fold > summary")
		tb.fill("#index", "7")
		eval[bool](tb, `(() => { document.querySelector("#source").value = "win11"; document.querySelector("input[name=drivers]").checked = true; return true; })()`)
		tb.press("main form .primary")
		tb.until("the refusal", `document.querySelector(".banner.bad")?.textContent.includes("the last is 2")`)
		tb.until("what was chosen to be kept", `document.querySelector("#source").value === "win11" && document.querySelector("input[name=drivers]").checked && document.querySelector("#index").value === "7"`)
		tb.shot(shotName("winpe-refused", look.width, look.scheme))
		tb.fill("#index", "")
		tb.press("main form .primary")
		tb.until("the build", `document.querySelector('[data-k^="build:"]')?.textContent.includes("Windows PE build")`)
		s.change(Change{Kind: ChangeBuild, ID: s.builds[0].ID}, func() {
			s.builds[0].Percent, s.builds[0].Stage, s.builds[0].Log = 55, "adding the agent, drivers and files", []string{"image 1: Microsoft Windows PE (amd64), x64 10.0.26200.1", "drivers: 3 for x64, 0 for others are not loaded"}
		})
		tb.until("its progress, live", `document.querySelector("progress")?.value === 55 && document.querySelector("pre").textContent.includes("drivers: 3")`)
		tb.shot(shotName("winpe-building", look.width, look.scheme))
		s.change(Change{Kind: ChangeBuild, ID: s.builds[0].ID}, func() { s.builds[0].State, s.builds[0].EndedAt = "done", time.Now() })
		tb.noComplaints("the build")
		for _, problem := range eval[[]string](tb, accessibility) {
			t.Errorf("at %d: %s", look.width, problem)
		}
	}
}
