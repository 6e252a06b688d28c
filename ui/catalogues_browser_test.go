package ui

import (
	"testing"

	"slipway/ui/browsertest"
)

// TestCataloguesInTheBrowser: what cannot be read anew and what cannot be added say why
// in place, an entry is found, and all is seen at both widths and in both schemes.
func TestCataloguesInTheBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{1440, 900, "light"}, {390, 844, "dark"}} {
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		check := func(name string) {
			t.Helper()
			tb.shot(shotName(name, look.width, look.scheme))
			tb.noComplaints(name)
			for _, problem := range eval[[]string](tb, accessibility) {
				t.Errorf("%s at %d: %s", name, look.width, problem)
			}
		}
		tb.open("/content")
		tb.press(`a[href="/content/catalogues"]`)
		tb.until("the lists", `document.querySelector("#lists-h") !== null`)
		tb.press(`[aria-label="Refresh dell"]`)
		tb.until("the refusal", `document.querySelector(".banner.bad")?.textContent.includes("503 Service Unavailable")`)
		check("catalogues-refused")
		tb.open(cataloguesPage + "?catalogue=microsoft")
		tb.until("its one entry", `document.querySelectorAll("[data-region=entries] tbody tr").length === 1`)
		check("catalogues-found")
		tb.open(cataloguesPage + "/add")
		tb.fill("#url", "https://files.example.com/list.cab")
		tb.press("main form .primary")
		tb.until("the refusal beside its field", `document.querySelector("#url-err")?.textContent.includes("404") && document.querySelector("#url").value.endsWith("list.cab")`)
		check("catalogue-add-refused")
	}
	s.change(Change{Kind: ChangeContent}, func() { s.catalogues, s.entries = nil, nil })
	tb := openTab(t, browser, s, 1440, 900, "light")
	tb.signIn()
	tb.open(cataloguesPage)
	tb.until("the empty state", `document.querySelector(".empty h3")?.textContent === "No catalogue yet"`)
	tb.shot("catalogues-empty-1440-light")
}
