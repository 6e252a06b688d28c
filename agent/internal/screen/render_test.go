package screen

import (
	"strings"
	"testing"
)

func frame(serial bool, set func(*Canvas)) *Canvas {
	c := NewCanvas(20, 3, serial)
	set(c)
	return c
}

func TestChangedLinesAreWrittenWhole(t *testing.T) {
	r := NewRenderer(true)
	first := string(r.Frame(frame(true, func(c *Canvas) { c.Text(2, 0, "Step 1 of 4", Strong) })))
	if !strings.Contains(first, "Step 1 of 4") || !strings.Contains(first, "\x1b[2J") {
		t.Errorf("first frame: %q", first)
	}
	second := string(r.Frame(frame(true, func(c *Canvas) { c.Text(2, 0, "Step 2 of 4", Strong) })))
	if !strings.Contains(second, "Step 2 of 4") || strings.Contains(second, "\x1b[2J") || strings.Contains(second, "\x1b[2;1H") {
		t.Errorf("second frame: %q", second)
	}
	if third := r.Frame(frame(true, func(c *Canvas) { c.Text(2, 0, "Step 2 of 4", Strong) })); len(third) != 0 {
		t.Errorf("the same frame again was written: %q", third)
	}
	r.Forget()
	if again := string(r.Frame(frame(true, func(c *Canvas) { c.Text(2, 0, "Step 2 of 4", Strong) }))); !strings.Contains(again, "\x1b[2J") {
		t.Errorf("not painted anew: %q", again)
	}
}

func TestSerialLinesAreVT100(t *testing.T) {
	box := func(c *Canvas) { c.Box(0, 0, 20, 3, Accent); c.Text(2, 1, "ok ä", Normal) }
	serial := string(NewRenderer(true).Frame(frame(true, box)))
	if strings.ContainsRune(serial, '─') || !strings.Contains(serial, "\x1b(0lqqq") || !strings.HasSuffix(serial, "\x1b[?25l") {
		t.Errorf("serial: %q", serial)
	}
	video := string(NewRenderer(false).Frame(frame(false, box)))
	if !strings.Contains(video, "┌──") || strings.Contains(video, "\x1b(0") || !strings.Contains(video, "\x1b%G") {
		t.Errorf("video: %q", video)
	}
}

func TestNothingScrollsTheScreen(t *testing.T) {
	c := NewCanvas(4, 2, true)
	c.Text(0, 1, "abcd", Normal)
	if out := string(NewRenderer(true).Frame(c)); strings.Contains(out, "abcd") || !strings.Contains(out, "abc") {
		t.Errorf("the last cell was written: %q", out)
	}
}

func TestControlCharactersNeverReachTheTerminal(t *testing.T) {
	c := NewCanvas(20, 1, true)
	c.Text(0, 0, "a\x1b[2Jb\u009bc\x7f", Normal)
	if out := c.String(); out != "a?[2Jb?c?\n" {
		t.Errorf("got %q", out)
	}
}

func TestCursor(t *testing.T) {
	r := NewRenderer(true)
	c := NewCanvas(20, 2, true)
	c.CursorX, c.CursorY = 3, 1
	if out := string(r.Frame(c)); !strings.HasSuffix(out, "\x1b[2;4H\x1b[?25h") {
		t.Errorf("got %q", out)
	}
	moved := NewCanvas(20, 2, true)
	moved.CursorX, moved.CursorY = 4, 1
	if out := string(r.Frame(moved)); out != "\x1b[2;5H\x1b[?25h" {
		t.Errorf("got %q", out)
	}
}
