package screen

import (
	"strings"
	"time"
)

// Entra is the page of a sign-in at a browser elsewhere: a code to type there,
// the address, and a QR code of it for a phone's camera.
type Entra struct {
	Code     string
	URI      string    // to be typed
	Complete string    // URI with the code in it; may be empty
	Until    time.Time // the code's end
	Trouble  string    // why it is not known how the sign-in stands; empty: waiting for it
	Retry    time.Time // with Trouble: when it is asked again
	said     string
	keys     *Notice
}

// The values of Entra.Chosen.
const (
	EntraNewCode = "code"
	EntraOther   = "other"
)

// NewEntra returns the page. said is why another way to sign in did not do, and
// may be empty; other offers a further way.
func NewEntra(said string, other bool) *Entra {
	keys := NewNotice("", "", Calm)
	keys.Actions = EntraActions(other)
	return &Entra{said: said, keys: keys}
}

// EntraActions are the keys of the page and of the notices that stand in for it.
func EntraActions(other bool) []Action {
	actions := []Action{{Hint{"F5", "^T", "New code"}, []KeyCode{F5}, EntraNewCode}}
	if other {
		actions = append(actions, Action{Hint{"F6", "^E", "Other way"}, []KeyCode{F6}, EntraOther})
	}
	return actions
}

// Chosen gives the value of a pressed key.
func (p *Entra) Chosen() <-chan string { return p.keys.Chosen() }

// Hints implements Page.
func (p *Entra) Hints() []Hint { return p.keys.Hints() }

// Key implements Page.
func (p *Entra) Key(k Key) { p.keys.Key(k) }

const (
	entraText    = 31 // columns of the text beside a QR code on a small screen
	entraWide    = 60 // the same where there is room
	entraBetween = 2  // columns between text and QR code
	entraTall    = 40 // lines of a screen from which on the device's facts are shown too
)

// Draw implements Page.
func (p *Entra) Draw(c *Canvas, f Frame) {
	room := c.H - 2 - c.top() - 2 // rows inside the box
	facts, margin := 0, 0
	if c.H >= entraTall {
		facts, margin = factRows+5, 1
	}
	code := p.symbol(c, room-facts)
	inner := panelWidth(c.W) - 6
	text := inner
	if code != nil {
		text = min(entraWide, c.W-10-entraBetween-code.cols())
		inner = text + entraBetween + code.cols()
	}
	lines := p.lines(entraLayout{text, room - facts, code != nil, !c.Plain}, f.Now)
	rows := min(height(lines), room-facts) // what is too long is cut below
	if code != nil {
		rows = max(rows, code.rows())
	}
	if code == nil && rows+2 <= room-facts {
		margin = 1
	}
	box := openBox(c, "Sign in", rows+max(facts, 2*margin)+2, inner+6, Accent)
	top := box.y + 1 + margin
	p.drawLines(box, top+max(0, rows-height(lines))/2, text, lines)
	if code != nil {
		code.draw(c, box.x+box.w-3-code.cols(), top+(rows-code.rows())/2)
	}
	if facts > 0 {
		box.row = top + rows + margin
		box.rule()
		box.gap()
		box.facts(f.Facts)
	}
}

// symbol is the QR code for the screen: of the address with the code where that
// fits, else of the address alone. A terminal without half blocks has none.
func (p *Entra) symbol(c *Canvas, rows int) *symbol {
	if c.Plain {
		return nil
	}
	for _, text := range []string{p.Complete, p.URI} {
		if s := newSymbol(text, c.W-10-entraBetween-entraText, rows, c.H); s != nil {
			return s
		}
	}
	return nil
}

// troubleLines is how much is said of a trouble; the log has the rest.
const troubleLines = 4

// entraLine is a line of the text, or letterRows lines of big letters.
type entraLine struct {
	text  string
	style Style
	big   bool
	whole bool // as a banner
}

func height(lines []entraLine) int {
	n := 0
	for _, l := range lines {
		n++
		if l.big {
			n += letterRows - 1
		}
	}
	return n
}

// entraLayout is the room that the text has, and what it may say and use.
type entraLayout struct {
	width, rows int
	scan        bool // a QR code is shown
	big         bool // there may be big letters
}

// lines are the page's text.
func (p *Entra) lines(room entraLayout, now time.Time) []entraLine {
	var big []string
	if room.big {
		big = bigLines(p.Code, room.width)
	}
	lines := p.compose(room, now, big, true)
	if height(lines) > room.rows {
		lines = p.compose(room, now, big, false)
	}
	if height(lines) > room.rows {
		lines = p.compose(room, now, nil, true)
	}
	return lines
}

func (p *Entra) compose(room entraLayout, now time.Time, big []string, gaps bool) (lines []entraLine) {
	add := func(text string, s Style) {
		for _, l := range Wrap(text, room.width) {
			lines = append(lines, entraLine{text: l, style: s})
		}
	}
	gap := func() {
		if gaps {
			lines = append(lines, entraLine{})
		}
	}
	if p.said != "" {
		add(p.said, Warn)
		gap()
	}
	if room.scan {
		add("1 Scan this, or open:", Normal)
	} else {
		add("1 Open on a phone or another computer:", Normal)
	}
	for _, l := range breakAddress(p.URI, room.width) {
		lines = append(lines, entraLine{text: l, style: Accent})
	}
	gap()
	add("2 Sign in there with this code:", Normal)
	gap()
	for _, l := range big {
		lines = append(lines, entraLine{text: l, big: true})
	}
	add(p.Code, Strong)
	gap()
	if p.Trouble != "" {
		trouble := Wrap(p.Trouble, room.width)
		for _, l := range trouble[:min(len(trouble), troubleLines)] {
			lines = append(lines, entraLine{text: l, style: BadBanner, whole: true})
		}
		add("Asking again in "+countdown(seconds(now, p.Retry)), Warn)
	} else {
		add("Waiting for the sign-in ... "+spinner(now), Accent)
	}
	add("The code is good for "+clock(max(0, p.Until.Sub(now))), Dim)
	return lines
}

// breakAddress breaks an address behind its slashes, where it is too long for a line.
func breakAddress(address string, width int) (lines []string) {
	for len(address) > width {
		at := strings.LastIndexByte(address[:width], '/') + 1
		if at <= len("https://") {
			at = width
		}
		lines = append(lines, address[:at])
		address = address[at:]
	}
	return append(lines, address)
}

func (p *Entra) drawLines(box *panel, y, width int, lines []entraLine) {
	for _, l := range lines {
		if y >= box.y+box.h-1 {
			return
		}
		switch {
		case l.big:
			drawBig(box.c, box.left(), y, l.text)
			y += letterRows - 1
		case l.whole:
			box.c.Text(box.left(), y, l.text+strings.Repeat(" ", max(0, width-len([]rune(l.text)))), l.style)
		default:
			box.c.Text(box.left(), y, l.text, l.style)
		}
		y++
	}
}
