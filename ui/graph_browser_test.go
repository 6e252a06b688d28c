package ui

import (
	"testing"

	"slipway/ui/browsertest"
)

// TestGraphInTheBrowser: set up, tested, and seen at both widths and in both schemes.
func TestGraphInTheBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{1280, 800, "light"}, {390, 844, "dark"}} {
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		tb.open(graphPage)
		tb.fill("#tenant", "1f0c9a52-6d3b-4a1e-9c57-0123456789ab")
		tb.fill("#client-secret", "kept~Secret")
		tb.press("main form .primary")
		tb.until("the word that it is saved", `document.querySelector(".banner.good")?.textContent.includes("Saved")`)
		tb.press(`main form [formaction="/admin/graph/test"]`)
		tb.until("the result", `document.querySelector(".banner.good")?.textContent.includes("The test went well")`)
		tb.shot(shotName("graph-tested", look.width, look.scheme))
		tb.noComplaints("the test")
		for _, problem := range eval[[]string](tb, accessibility) {
			t.Errorf("at %d: %s", look.width, problem)
		}
	}
}
