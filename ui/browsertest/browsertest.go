// Package browsertest starts the real browser in which the console is tested. It is
// for tests only.
package browsertest

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// starts is how often a browser is started before that counts as a failure:
// Debian's Chromium sometimes crashes in its first tenth of a second, before it
// has opened any page.
const starts = 4

// Start starts a headless Chromium with a profile of its own, which ends with the
// test. It never skips: a console nobody has looked at is not tested.
func Start(t testing.TB) context.Context {
	t.Helper()
	path := find(t)
	for try := 1; ; try++ {
		ctx, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
			chromedp.WSURLReadTimeout(time.Minute), chromedp.IgnoreCertErrors,
			chromedp.Flag("headless", true), chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true),
			chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-sync", true),
			chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-dev-shm-usage", true))
		browser, end := chromedp.NewContext(ctx)
		err := chromedp.Do(browser)
		if err == nil {
			t.Cleanup(func() { end(); cancel() })
			return browser
		}
		end()
		cancel()
		if try == starts {
			t.Fatalf("starting Chromium: %v", err)
		}
		t.Logf("Chromium did not start, once more: %v", err)
	}
}

func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is not installed: `make test` installs it (Debian package chromium)")
	return ""
}
