package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"slipway/fleet"
)

// site is a console over TLS with HTTP/2 on loopback, with its fake appliance.
type site struct {
	*fake
	url  string
	line *line
}

// startSite serves a console until the test ends.
func startSite(t *testing.T, furnished bool) *site {
	t.Helper()
	f := newFake(time.Now)
	if furnished {
		f.furnish()
		f.addAccount("anna", "correct horse", fleet.RoleAdministrator)
		f.furnishAccounts(time.Now())
		f.furnishWindows(time.Now())
		f.furnishCatalogues(time.Now())
	}
	c, err := New(Config{Backend: f.backend()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx) // ends with the test
	}()
	srv := httptest.NewUnstartedServer(c)
	srv.EnableHTTP2 = true
	wire := &line{Listener: srv.Listener, open: map[net.Conn]bool{}}
	srv.Listener = wire
	srv.StartTLS()
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		cancel()
		<-ended
	})
	return &site{fake: f, url: srv.URL, line: wire}
}

// line is the connection between browser and appliance: cut, every connection breaks
// off at once, in the middle of whatever it carries, and new ones come to nothing.
type line struct {
	net.Listener
	mu   sync.Mutex
	open map[net.Conn]bool
	down bool
}

func (l *line) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		down := l.down
		if !down {
			l.open[c] = true
		}
		l.mu.Unlock()
		if !down {
			return c, nil
		}
		_ = c.Close() // that is the cut
	}
}

func (l *line) cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	if down {
		for c := range l.open {
			_ = c.Close() // may have ended by itself
		}
		clear(l.open)
	}
}

// patience is how long anything may take that must come: beside virtual machines on
// two cores a page takes ten times as long as alone.
const patience = 90 * time.Second

// tab is one page of the browser that notes everything the page complains about.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site *site
}

// watch collects violations and errors in the page itself; it runs before the
// page's own modules, and the page's policy does not apply to it.
const watch = `window.__complaints = [];
addEventListener("securitypolicyviolation", (e) => window.__complaints.push("policy " + e.violatedDirective + ": " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber));
addEventListener("error", (e) => window.__complaints.push("error: " + (e.message || "loading " + (e.target.src || e.target.href))), true);
addEventListener("unhandledrejection", (e) => window.__complaints.push("rejection: " + e.reason));`

func openTab(t *testing.T, browser context.Context, s *site, width, height int64, scheme string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	tb := &tab{t: t, ctx: ctx, site: s}
	tb.do(chromedp.EmulateViewport(width, height))
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatal(err)
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	return tb
}

// do runs actions with a deadline: a page that never comes fails, with its text.
func (tb *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := tb.try(steps...); err != nil {
		tb.t.Fatalf("%v\n%s", err, tb.state())
	}
}

func (tb *tab) try(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	if tb.ctx.Err() == nil && chromedp.FromContext(tb.ctx).Target == nil {
		ctx = tb.ctx // the first call makes the tab, which lives as long as its context
	}
	return chromedp.Do(ctx, steps...)
}

func (tb *tab) state() string {
	ctx, cancel := context.WithTimeout(tb.ctx, 20*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1500)`))
	if err != nil {
		return err.Error()
	}
	return text
}

// open opens a page and returns when all of it is there: when another page was on its
// way, e.g. the answer to a form, Navigate may return before.
func (tb *tab) open(path string) {
	tb.t.Helper()
	tb.do(chromedp.Navigate(tb.site.url + path))
	tb.until("all of "+path, `document.readyState === "complete"`)
}

// eval runs an expression in the page.
func eval[T any](tb *tab, expression string) T {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		tb.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to hold, across page loads.
func (tb *tab) until(what, expression string) {
	tb.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(tb.ctx, 20*time.Second) // a page that goes away may not answer
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		cancel()
		if err == nil && ok {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	tb.t.Fatalf("%s did not come: %s\n%s", what, expression, tb.state())
}

// fill sets a field and press presses the first button of that name, as a person would
// who waits until the page is there: while it loads, what it holds still moves.
func (tb *tab) fill(selector, value string) {
	tb.t.Helper()
	tb.again("fill "+selector, chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), value))
}

func (tb *tab) press(selector string) {
	tb.t.Helper()
	tb.again("press "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// again does the steps, and does them again when the page drew what they are for anew
// between finding it and reaching it: nothing was done then.
func (tb *tab) again(what string, steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	tb.until("all of the page", `document.readyState === "complete"`)
	for deadline := time.Now().Add(patience); ; {
		err := tb.try(steps...)
		switch {
		case err == nil:
			return
		case strings.Contains(err.Error(), "Could not find node with given id") && time.Now().Before(deadline):
		default:
			tb.t.Fatalf("%s: %v\n%s", what, err, tb.state())
		}
	}
}

func (tb *tab) signIn() {
	tb.t.Helper()
	tb.open("/login")
	if strings.HasSuffix(eval[string](tb, "location.pathname"), "/login") {
		tb.fill("#name", "anna")
		tb.fill("#password", "correct horse")
		tb.press("form button")
		tb.until("the overview", `document.querySelector("h1")?.textContent === "Overview" && document.readyState === "complete"`)
	}
}

// noComplaints fails on any violation of the policy and on any script error.
func (tb *tab) noComplaints(where string) {
	tb.t.Helper()
	raw := eval[string](tb, `JSON.stringify(window.__complaints ?? ["the page was not watched"])`)
	var list []string
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		tb.t.Fatal(err)
	}
	for _, c := range list {
		tb.t.Errorf("%s: %s", where, c)
	}
}

// shot keeps a picture of the page when SLIPWAY_SHOTS names a folder.
func (tb *tab) shot(name string) {
	tb.t.Helper()
	dir := os.Getenv("SLIPWAY_SHOTS")
	if dir == "" {
		dir = tb.t.TempDir()
	}
	tb.until("the page "+name+" to be drawn", `document.readyState === "complete" && document.documentElement.clientWidth > 0`)
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		tb.t.Fatalf("picture of %s: %v", name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		tb.t.Fatal(err)
	}
	if len(png) < 5000 {
		tb.t.Errorf("the picture of %s is nearly empty: %d bytes", name, len(png))
	}
}

func shotName(name string, width int64, scheme string) string {
	return fmt.Sprintf("%s-%d-%s", name, width, scheme)
}

// setSelect chooses an option as a person would, change event included.
func setSelect(selector, value string) chromedp.Action[chromedp.Void] {
	return chromedp.SetValue(chromedp.CSS(selector), value)
}
