package ui

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"slipway/ui/browsertest"
)

// TestUploadGoesOn uploads a file in pieces over a connection that breaks in the
// middle of one, and finds it whole.
func TestUploadGoesOn(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	s.breakAt = 2
	body := bytes.Repeat([]byte("0123456789abcdef"), 9<<16) // 9 MiB: three pieces
	path := filepath.Join(t.TempDir(), "rescue.tar.gz")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.open("/content/add")
	tb.do(chromedp.SetUploadFiles(chromedp.CSS("#files"), []string{path}))
	tb.until("the name from the file", `document.getElementById("name").value === "rescue"`)
	tb.do(setSelect("#purpose", "other"))
	tb.press("form[data-upload] .primary")
	tb.until("the break to be told", `document.querySelector(".uploads .lost")?.textContent.includes("next try")`)
	tb.shot("upload-broken-1280-light")
	tb.until("the item", `document.querySelector("h1")?.textContent === "rescue" && document.querySelector(".banner.good") !== null`)
	tb.shot("upload-done-1280-light")
	tb.noComplaints("upload")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.uploads) != 1 {
		t.Errorf("%d uploads were begun", len(s.uploads))
	}
	for _, u := range s.uploads {
		if !bytes.Equal(u.data, body) {
			t.Errorf("%d of %d bytes came, or others", len(u.data), len(body))
		}
	}
	if s.pieces != 3 { // the first, half of the second, and the rest
		t.Errorf("%d pieces were sent", s.pieces)
	}
}

// TestUploadGoesOnAfterTheTabWasClosed chooses the same file again in a new tab: what
// is there already is not sent twice.
func TestUploadGoesOnAfterTheTabWasClosed(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	s.breakAt, s.staysDown = 2, true
	body := bytes.Repeat([]byte("0123456789abcdef"), 9<<16)
	path := filepath.Join(t.TempDir(), "rescue.tar.gz")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	send := func() *tab {
		tb := openTab(t, browser, s, 1280, 800, "light")
		tb.signIn()
		tb.open("/content/add")
		tb.do(chromedp.SetUploadFiles(chromedp.CSS("#files"), []string{path}), setSelect("#purpose", "other"))
		tb.press("form[data-upload] .primary")
		return tb
	}
	first := send()
	first.until("the break to be told", `document.querySelector(".uploads .lost") !== null`)
	if err := chromedp.Cancel(first.ctx); err != nil {
		t.Fatal(err)
	}
	s.change(Change{}, func() { s.down = false })
	second := send()
	second.until("the item", `document.querySelector("h1")?.textContent === "rescue"`)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.uploads) != 1 || s.pieces != 3 {
		t.Errorf("%d uploads, %d pieces", len(s.uploads), s.pieces)
	}
	for _, u := range s.uploads {
		if !bytes.Equal(u.data, body) {
			t.Errorf("%d of %d bytes came, or others", len(u.data), len(body))
		}
	}
}
