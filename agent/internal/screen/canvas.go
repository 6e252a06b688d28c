package screen

import "strings"

// Style names how a cell looks; the renderer knows the colours.
type Style uint8

// The styles.
const (
	Normal Style = iota
	Dim
	Strong
	Accent
	Header
	KeyCap
	Input
	Good
	Warn
	Bad
	GoodBanner
	BadBanner
	WarnBanner
	Selected
	Pixel // half blocks as pixels of a picture: white on black, whatever the terminal's own colours
)

// Cell is one character of a screen.
type Cell struct {
	Rune  rune
	Style Style
}

// Canvas is a screen to draw on. Drawing outside of it is cut off.
type Canvas struct {
	W, H             int
	Serial           bool // a serial line: hints name keys that every terminal can send
	Plain            bool // a terminal that shows no half blocks, as far as is known
	Blocks           bool // half blocks are drawn: a serial terminal is asked whether it can show them
	Top              int  // lines above the pages' boxes that are taken, the header's beside
	Cells            []Cell
	CursorX, CursorY int // -1: hidden
}

// NewCanvas returns an empty canvas.
func NewCanvas(w, h int, serial bool) *Canvas {
	c := &Canvas{W: w, H: h, Serial: serial, Cells: make([]Cell, w*h), CursorX: -1, CursorY: -1}
	for i := range c.Cells {
		c.Cells[i] = Cell{' ', Normal}
	}
	return c
}

// top is the first line that a page may use.
func (c *Canvas) top() int { return 1 + c.Top }

// Put writes one character.
func (c *Canvas) Put(x, y int, r rune, s Style) {
	if x < 0 || y < 0 || x >= c.W || y >= c.H {
		return
	}
	if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) { // control characters would move the cursor
		r = '?'
	}
	c.Cells[y*c.W+x] = Cell{r, s}
}

// Text writes a line and returns the column after it.
func (c *Canvas) Text(x, y int, text string, s Style) int {
	for _, r := range text {
		c.Put(x, y, r, s)
		x++
	}
	return x
}

// Fill fills an area with blanks of a style.
func (c *Canvas) Fill(x, y, w, h int, s Style) {
	for j := y; j < y+h; j++ {
		for i := x; i < x+w; i++ {
			c.Put(i, j, ' ', s)
		}
	}
}

// Box draws a border of light lines and clears what is inside.
func (c *Canvas) Box(x, y, w, h int, s Style) {
	c.Fill(x, y, w, h, Normal)
	for i := x + 1; i < x+w-1; i++ {
		c.Put(i, y, '─', s)
		c.Put(i, y+h-1, '─', s)
	}
	for j := y + 1; j < y+h-1; j++ {
		c.Put(x, j, '│', s)
		c.Put(x+w-1, j, '│', s)
	}
	c.Put(x, y, '┌', s)
	c.Put(x+w-1, y, '┐', s)
	c.Put(x, y+h-1, '└', s)
	c.Put(x+w-1, y+h-1, '┘', s)
}

// Rule draws a line across a box from edge to edge.
func (c *Canvas) Rule(x, y, w int, s Style) {
	for i := x + 1; i < x+w-1; i++ {
		c.Put(i, y, '─', s)
	}
	c.Put(x, y, '├', s)
	c.Put(x+w-1, y, '┤', s)
}

// String is the canvas as text, without styles and trailing blanks: what a
// person reads, and what the golden tests compare.
func (c *Canvas) String() string {
	var b strings.Builder
	for y := range c.H {
		var line strings.Builder
		for x := range c.W {
			line.WriteRune(c.Cells[y*c.W+x].Rune)
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// Wrap breaks a text into lines of at most width characters, at blanks where it can.
func Wrap(text string, width int) []string {
	width = max(width, 1)
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		var line []rune
		for _, word := range strings.Fields(paragraph) {
			w := []rune(word)
			if len(line) > 0 && len(line)+1+len(w) > width {
				lines = append(lines, string(line))
				line = nil
			}
			if len(line) > 0 {
				line = append(line, ' ')
			}
			for len(w) > width {
				lines = append(lines, string(w[:width]))
				w = w[width:]
			}
			line = append(line, w...)
		}
		lines = append(lines, string(line))
	}
	return lines
}

// Cut shortens a text to width characters and shows that it did.
func Cut(text string, width int) string {
	r := []rune(text)
	switch {
	case width <= 0:
		return ""
	case len(r) <= width:
		return text
	case width < 4:
		return string(r[:width])
	}
	return string(r[:width-2]) + ".."
}
