package ui

import (
	"strconv"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func quote(s string) string { return strconv.Quote(s) }

func clickAt(x, y float64) chromedp.Action[chromedp.Void] { return chromedp.MouseClickXY(x, y) }

func escape() chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(kb.Escape) }

// keys types into whatever has the focus.
func (tb *tab) keys(text string) {
	tb.t.Helper()
	tb.do(chromedp.KeyEvent(text))
}
