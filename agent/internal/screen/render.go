package screen

import (
	"bytes"
	"fmt"
)

// sgr returns the escape sequence of a style: sixteen colours, as the Linux
// console and common serial terminals know them.
func sgr(s Style) string {
	codes := map[Style]string{
		Normal: "0;37", Dim: "0;36", Strong: "0;1;97", Accent: "0;96", Header: "0;1;97;44", KeyCap: "0;30;46",
		Input: "0;1;97;44", Good: "0;92", Warn: "0;93", Bad: "0;91", GoodBanner: "0;1;97;42", BadBanner: "0;1;97;41",
		WarnBanner: "0;30;43", Selected: "0;30;46", Pixel: "0;1;97;40",
	}
	return "\x1b[" + codes[s] + "m"
}

// graphics maps light lines to the VT100's special graphics set, which every
// serial terminal has whatever its character encoding.
func graphics(r rune) (byte, bool) {
	switch r {
	case '─':
		return 'q', true
	case '│':
		return 'x', true
	case '┌':
		return 'l', true
	case '┐':
		return 'k', true
	case '└':
		return 'm', true
	case '┘':
		return 'j', true
	case '├':
		return 't', true
	case '┤':
		return 'u', true
	}
	return 0, false
}

// Renderer turns frames into bytes for one terminal. It remembers the last
// frame and writes only the lines that differ, each of them whole.
type Renderer struct {
	serial bool
	last   *Canvas
}

// NewRenderer returns a renderer for a serial line or for the video console.
func NewRenderer(serial bool) *Renderer { return &Renderer{serial: serial} }

// Forget makes the next frame be written completely.
func (r *Renderer) Forget() { r.last = nil }

// Frame returns the bytes that bring the terminal to c.
func (r *Renderer) Frame(c *Canvas) []byte {
	var b bytes.Buffer
	whole := r.last == nil || r.last.W != c.W || r.last.H != c.H
	if whole {
		b.WriteString("\x1b[?25l\x1b[0m")
		if r.serial {
			b.WriteString("\x1b(B")
		} else {
			b.WriteString("\x1b%G") // the Linux console reads UTF-8
		}
		b.WriteString("\x1b[2J")
	}
	changed := whole
	for y := range c.H {
		if !whole && equal(r.last.Cells[y*c.W:(y+1)*c.W], c.Cells[y*c.W:(y+1)*c.W]) {
			continue
		}
		changed = true
		r.line(&b, c, y)
	}
	if r.serial && c.Blocks && (whole || !r.last.Blocks) {
		b.WriteString(question)
		r.line(&b, c, 0)
		changed = true
	}
	if changed || r.last.CursorX != c.CursorX || r.last.CursorY != c.CursorY {
		if c.CursorX >= 0 {
			fmt.Fprintf(&b, "\x1b[%d;%dH\x1b[?25h", c.CursorY+1, c.CursorX+1)
		} else {
			b.WriteString("\x1b[?25l")
		}
	}
	r.last = c
	return b.Bytes()
}

// question asks a serial terminal whether it reads UTF-8, without which it has no
// half blocks: of the two bytes of é it makes one character then, and two
// otherwise. It answers with the cursor's place; the line is written anew.
const question = "\x1b[1;1H\u00e9\x1b[6n"

// notUTF8 says whether the answer to the question, the cursor's column, is that of
// a terminal with another encoding.
func notUTF8(column rune) bool { return column == 3 }

// line writes one line. The last cell of the last line is left out: writing it
// scrolls many terminals.
func (r *Renderer) line(b *bytes.Buffer, c *Canvas, y int) {
	fmt.Fprintf(b, "\x1b[%d;1H", y+1)
	width := c.W
	if y == c.H-1 {
		width--
	}
	style, drawing := Style(255), false
	for x := range width {
		cell := c.Cells[y*c.W+x]
		if cell.Style != style {
			style = cell.Style
			b.WriteString(sgr(style))
		}
		g, isLine := graphics(cell.Rune)
		isLine = isLine && r.serial
		if isLine != drawing {
			drawing = isLine
			b.WriteString(map[bool]string{true: "\x1b(0", false: "\x1b(B"}[drawing])
		}
		switch {
		case isLine:
			b.WriteByte(g)
		case r.serial && cell.Rune == '█' && cell.Style != Pixel:
			b.WriteByte('#')
		default:
			b.WriteRune(cell.Rune)
		}
	}
	if drawing {
		b.WriteString("\x1b(B")
	}
	b.WriteString("\x1b[0m")
}

func equal(a, b []Cell) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
