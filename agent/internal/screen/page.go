package screen

import (
	"fmt"
	"time"
)

// Page is one screen. Its methods are called under the display's lock; state is
// changed only there or by Display.Update.
type Page interface {
	Draw(c *Canvas, f Frame)
	Key(k Key)
	Hints() []Hint
}

// Frame is what every page may show beside its own state.
type Frame struct {
	Now   time.Time
	Facts Facts
}

// Facts are the facts about the device that a technician is asked for on the phone.
type Facts struct {
	Product   string // version line of the header, e.g. "Slipway 0.1"
	Model     string
	Serial    string
	Firmware  string // UEFI or BIOS
	Memory    string
	MAC       string
	Address   string
	Appliance string
	Image     string // short id of the boot image
	Keyboard  string // layout's name
	Lab       bool
	Note      string // what is wrong with the network while something else is shown
	Warning   string // lasting: that anyone may deploy here
}

// Hint names a key in the last line: a function key, and the control key that
// reaches the same from any terminal.
type Hint struct {
	Key, Control, Text string
}

// Control keys that stand in for function keys on serial lines.
func hintReveal(shown bool) Hint {
	if shown {
		return Hint{"F2", "^R", "Hide typed text"}
	}
	return Hint{"F2", "^R", "Show typed text"}
}

func hintKeyboard() Hint { return Hint{"F3", "^K", "Keyboard"} }
func hintRetry() Hint    { return Hint{"F5", "^T", "Try again"} }
func hintAddress() Hint  { return Hint{"F6", "^E", "Type address"} }
func hintDetails() Hint  { return Hint{"F8", "^L", "Log"} }
func hintShell() Hint    { return Hint{"F9", "^X", "Shell"} }
func hintPower() Hint    { return Hint{"F10", "^P", "Power"} }

// Plain turns a function key's control stand-in into the function key.
func (k Key) Plain() Key {
	if k.Code != Ctrl {
		return k
	}
	switch k.Rune {
	case 'r':
		return Key{Code: F2}
	case 'k':
		return Key{Code: F3}
	case 't':
		return Key{Code: F5}
	case 'e': // not ^A: terminal programs keep that for themselves
		return Key{Code: F6}
	case 'l':
		return Key{Code: F8}
	case 'x':
		return Key{Code: F9}
	case 'p':
		return Key{Code: F10}
	}
	return k
}

// compose draws a page within the product's frame.
func compose(c *Canvas, page Page, f Frame, extra []Hint) {
	drawHeader(c, f.Facts)
	if f.Facts.Warning != "" {
		c.Top = 1
		c.Fill(0, 1, c.W, 1, WarnBanner)
		c.Text(2, 1, Cut(f.Facts.Warning, c.W-4), WarnBanner)
	}
	page.Draw(c, f)
	drawHints(c, append(page.Hints(), extra...))
}

func drawHeader(c *Canvas, f Facts) {
	c.Fill(0, 0, c.W, 1, Header)
	product := f.Product
	if product == "" {
		product = "Slipway"
	}
	x := c.Text(2, 0, product, Header)
	if f.Lab {
		c.Text(x+2, 0, "[ lab image ]", Header)
	}
	if f.Image != "" {
		text := "boot image " + f.Image
		c.Text(c.W-2-len(text), 0, text, Header)
	}
}

func drawHints(c *Canvas, hints []Hint) {
	x := 2
	for _, h := range hints {
		key := h.Key
		if c.Serial && h.Control != "" {
			key = h.Control
		}
		if x+len(key)+len(h.Text)+4 > c.W {
			break
		}
		x = c.Text(x, c.H-1, " "+key+" ", KeyCap)
		x = c.Text(x, c.H-1, " "+h.Text, Normal) + 2
	}
}

// panel is the centred box of a page.
type panel struct {
	c          *Canvas
	x, y, w, h int // the box; content starts at x+3
	row        int // next free row
	border     Style
}

// tallScreen is the number of lines from which on a screen shows the wordmark.
// VGA's 25 do not: it would come and go with the size of the pages' boxes.
const tallScreen = 30

// panelWidth is the box's width on a screen of w columns.
func panelWidth(w int) int { return min(w-4, 76) }

// openPanel draws a centred box with room for the given rows of content, below
// the wordmark where the screen is tall enough for one.
func openPanel(c *Canvas, title string, rows int, border Style) *panel {
	return openBox(c, title, rows+4, panelWidth(c.W), border)
}

// openBox does the same for a box of a height and a width.
func openBox(c *Canvas, title string, height, width int, border Style) *panel {
	h := min(height, c.H-2-c.top())
	p := &panel{c: c, w: width, h: h, border: border}
	p.x = (c.W - p.w) / 2
	top, logo := c.top(), 0
	if !c.Serial && c.H >= tallScreen && c.H-1-top >= h+wordmarkRows+2 {
		logo = wordmarkRows + 1
	}
	p.y = top + max(0, (c.H-1-top-h-logo)/2) + logo
	if logo > 0 {
		drawWordmark(c, p.y-wordmarkRows-1)
	}
	c.Box(p.x, p.y, p.w, p.h, border)
	c.Text(p.x+3, p.y, " "+Cut(title, p.w-8)+" ", Strong)
	p.row = p.y + 2
	return p
}

func (p *panel) width() int { return p.w - 6 }
func (p *panel) left() int  { return p.x + 3 }

// line writes one line and moves down. It stays inside the box.
func (p *panel) line(text string, s Style) {
	if p.row < p.y+p.h-1 {
		p.c.Text(p.left(), p.row, Cut(text, p.width()), s)
	}
	p.row++
}

func (p *panel) text(text string, s Style) {
	for _, l := range Wrap(text, p.width()) {
		p.line(l, s)
	}
}

func (p *panel) gap() { p.row++ }

func (p *panel) rule() {
	if p.row < p.y+p.h-1 {
		p.c.Rule(p.x, p.row, p.w, p.border)
	}
	p.row++
}

// banner writes a line over the whole width of the box.
func (p *panel) banner(text string, s Style) {
	if p.row < p.y+p.h-1 {
		p.c.Fill(p.x+2, p.row, p.w-4, 1, s)
		p.c.Text(p.left(), p.row, Cut(text, p.width()), s)
	}
	p.row++
}

func (p *panel) pair(name, value string) {
	if p.row < p.y+p.h-1 && value != "" {
		p.c.Text(p.left(), p.row, name, Dim)
		p.c.Text(p.left()+12, p.row, Cut(value, p.width()-12), Normal)
	}
	p.row++
}

// factRows is how many rows facts takes.
const factRows = 5

// facts writes the device's facts in fixed places.
func (p *panel) facts(f Facts) {
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	p.pair("Computer", or(f.Model, "unknown model"))
	serial := or(f.Serial, "none")
	if f.Firmware != "" {
		serial += "   (" + f.Firmware + ", " + f.Memory + ")"
	}
	p.pair("Serial", serial)
	p.pair("Network", or(f.MAC, "no adapter")+"   "+or(f.Address, "no address yet"))
	p.pair("Appliance", or(f.Appliance, "not found yet"))
	p.pair("Keyboard", or(f.Keyboard, "English (US)"))
}

// clock shows a duration as 1:02:03 or 2:03.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// seconds is how many whole seconds remain until t, never less than none.
func seconds(now, t time.Time) int {
	left := t.Sub(now)
	if left <= 0 {
		return 0
	}
	return int((left + time.Second - 1) / time.Second)
}
