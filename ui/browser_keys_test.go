package ui

import (
	"context"
	"strconv"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func quote(s string) string { return strconv.Quote(s) }

func clickAt(x, y float64) chromedp.Action[chromedp.Void] { return chromedp.MouseClickXY(x, y) }

func escape() chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(kb.Escape) }

// keys types text into whatever has the focus.
func (tb *tab) keys(text string) {
	tb.t.Helper()
	tb.do(chromedp.KeyEvent(text))
}

// taps presses keys one by one without the characters they would type: the
// protocol sends those apart, and they could land in a field that a key focused.
func (tb *tab) taps(keys string) {
	tb.t.Helper()
	for _, key := range keys {
		tb.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
				if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: string(key)}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// pair presses two keys that belong together within a second. The page's clock stands
// meanwhile: on a busy machine the second key may come later than that.
func (tb *tab) pair(keys string) {
	tb.t.Helper()
	eval[bool](tb, `((now) => { Date.now = () => now; return true })(Date.now())`) // the page that comes has the browser's own again
	tb.taps(keys)
}
