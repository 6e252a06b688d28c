package ui

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"slipway/ui/browsertest"
)

// TestUploadGoesOn uploads a file in pieces over a connection that breaks in the
// middle of one, and finds it whole.
func TestUploadGoesOn(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	s.breakAt, s.staysDown = 2, true                        // until that was seen
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
	s.change(Change{}, func() { s.down = false })
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

// TestUploadOverACutLine cuts the connection itself, for everything, in the middle of
// a piece; once the line is whole again, the upload goes on by itself.
func TestUploadOverACutLine(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	s.breakAt, s.onBreak = 2, func() { s.line.cut(true) }
	body := bytes.Repeat([]byte("0123456789abcdef"), 9<<16)
	path := filepath.Join(t.TempDir(), "rescue.tar.gz")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	tb := openTab(t, browser, s, 390, 844, "light")
	tb.signIn()
	tb.open("/content/add")
	tb.do(chromedp.SetUploadFiles(chromedp.CSS("#files"), []string{path}), setSelect("#purpose", "other"))
	tb.press("form[data-upload] .primary")
	tb.until("the second try to fail too", `/next try in ([2-9]|\d\d) s/.test(document.querySelector(".uploads .lost")?.textContent)`)
	tb.shot("upload-cut-390-light")
	s.line.cut(false)
	tb.until("the item", `document.querySelector("h1")?.textContent === "rescue"`)
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

// TestUploadOfAFileThatIsGone stops instead of blaming the connection for ever.
func TestUploadOfAFileThatIsGone(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	path := filepath.Join(t.TempDir(), "rescue.tar.gz")
	if err := os.WriteFile(path, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.open("/content/add")
	tb.do(chromedp.SetUploadFiles(chromedp.CSS("#files"), []string{path}), setSelect("#purpose", "other"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	tb.press("form[data-upload] .primary")
	tb.until("the word that it cannot be read", `document.querySelector(".uploads .lost")?.textContent.includes("cannot be read")`)
	tb.until("the button again", `!document.querySelector("form[data-upload] .primary").disabled`)
}

// TestContentJobsLive: bytes move while one looks, what is typed in the filter stays,
// and what was taken in comes into the list without a reload.
func TestContentJobsLive(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	job := ContentJob{ID: "j1", Kind: "import", Name: "Ubuntu 24.04 root file system", Stage: "Fetching", Total: 2_000_000_000, State: "running", StartedAt: time.Now()}
	s.jobs = []ContentJob{job}
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{390, 844, "dark"}, {1280, 800, "light"}} {
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		tb.open("/content")
		s.change(Change{Kind: ChangeContentJob, ID: "j1"}, func() { s.jobs[0].Done = 640_000_000 })
		tb.until("its progress", `document.querySelector("[data-job] progress").value === 32 && document.querySelector("[data-job]").textContent.includes("32 %, 640.0 MB of 2.0 GB")`)
		tb.shot(shotName("content-job", look.width, look.scheme))
		for _, problem := range eval[[]string](tb, accessibility) {
			t.Errorf("at %d: %s", look.width, problem)
		}
		if look.width < 720 {
			continue
		}
		tb.do(chromedp.SendKeys(chromedp.CSS("main [name=q]"), "ubuntu"))
		s.change(Change{Kind: ChangeContentJob, ID: "j1"}, func() { s.jobs[0].Stage, s.jobs[0].Done, s.jobs[0].Total = "Converting", 10, 0 })
		tb.until("the next stage", `document.querySelector("[data-job]").textContent.includes("Converting") && !document.querySelector("[data-job] progress").hasAttribute("value")`)
		if got := eval[string](tb, `document.querySelector("main [name=q]").value`); got != "ubuntu" {
			t.Errorf("the filter holds %q", got)
		}
		tb.mouse(input.DispatchMouseEventTypeMouseMoved, 5, 700) // out of the table
		// A page that is out of sight does not ask for jobs that it does not hear of: what
		// comes now comes by the stream.
		eval[bool](tb, `(Object.defineProperty(document, "hidden", { get: () => true, configurable: true }), true)`)
		s.change(Change{Kind: ChangeContentJob, ID: "j1"}, func() {
			s.jobs[0].State, s.jobs[0].Error = "failed", "the address answered 404: look whether it is spelled right"
		})
		tb.until("why it failed", `document.querySelector(".banner.bad")?.textContent.includes("was not taken in: the address answered 404")`)
		eval[bool](tb, `delete document.hidden`)
		job.ID = "j2"
		s.change(Change{Kind: ChangeContentJob, ID: "j2"}, func() { s.jobs = []ContentJob{job} })
		tb.until("another one", `document.querySelector("[data-job]") !== null`)
		s.change(Change{Kind: ChangeContentJob, ID: "j2"}, func() {
			s.jobs[0].State = "done"
			item := s.content[0]
			item.ID, item.Name = "c0099", "Ubuntu 24.04 root file system"
			s.content = append(s.content, item)
		})
		tb.until("the item in the list", `document.querySelector('a[href="/content/c0099"]') !== null && document.querySelector("[data-job], .banner.bad") === null`)
		if got := eval[string](tb, `document.querySelector("main [name=q]").value`); got != "ubuntu" {
			t.Errorf("the filter holds %q", got)
		}
		tb.noComplaints("content")
	}
}
