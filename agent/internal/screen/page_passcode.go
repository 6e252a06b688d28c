package screen

import (
	"fmt"
	"time"
)

// Passcode is the challenge: the page that asks for the passcode.
type Passcode struct {
	field    Field
	reveal   bool
	busy     bool
	refused  string
	holdCode string
	until    time.Time
	warning  string
	now      func() time.Time
	answers  chan string
	other    *Notice // the key for another way to sign in

	Other bool // there are other ways to sign in
}

// NewPasscode returns the challenge. warning is shown above the input and may
// be empty; now is the clock that the wait counts by.
func NewPasscode(warning string, now func() time.Time) *Passcode {
	other := NewNotice("", "", Calm)
	other.Actions = []Action{{Hint{"F5", "^T", "Other way"}, []KeyCode{F5}, "other"}}
	return &Passcode{warning: warning, now: now, answers: make(chan string, 1), other: other}
}

// Answers gives what the technician enters, one at a time.
func (p *Passcode) Answers() <-chan string { return p.answers }

// OtherWay gives a value when the technician wants another way to sign in.
func (p *Passcode) OtherWay() <-chan string { return p.other.Chosen() }

// Refuse says why the last answer was not accepted and asks again.
func (p *Passcode) Refuse(why string) {
	p.busy, p.refused, p.holdCode, p.until = false, why, "", time.Time{}
	p.field.Clear()
}

// Unreachable says that the answer could not be checked; what was typed stays.
func (p *Passcode) Unreachable(why string) {
	p.busy, p.refused, p.holdCode, p.until = false, why, "", time.Time{}
}

// Throttle says that further attempts have to wait. With a hold code the
// technician may try at any time, since the console can release the device.
func (p *Passcode) Throttle(until time.Time, holdCode string) {
	p.busy, p.refused, p.holdCode, p.until = false, "", holdCode, until
	p.field.Clear()
}

// Hints implements Page.
func (p *Passcode) Hints() []Hint {
	hints := []Hint{hintReveal(p.reveal), hintKeyboard()}
	if p.Other {
		hints = append(hints, p.other.Hints()...)
	}
	return hints
}

// Key implements Page.
func (p *Passcode) Key(k Key) {
	switch k.Plain().Code {
	case F2:
		p.reveal = !p.reveal
		return
	case Enter:
		p.submit()
		return
	case F5:
		if p.Other {
			p.other.Key(k)
		}
		return
	}
	if !p.busy {
		p.field.Key(k)
	}
}

func (p *Passcode) submit() {
	if p.busy || p.field.Text() == "" || (p.holdCode == "" && p.now().Before(p.until)) {
		return
	}
	select {
	case p.answers <- p.field.Text():
		p.busy, p.refused, p.holdCode, p.until, p.reveal = true, "", "", time.Time{}, false
	default:
	}
}

// Draw implements Page.
func (p *Passcode) Draw(c *Canvas, f Frame) {
	box := openPanel(c, "Sign in", 15, Accent)
	box.line("Passcode", Strong)
	box.line("Type the passcode to set up this computer, then press Enter.", Normal)
	box.gap()
	p.field.Draw(c, box.left(), box.row, box.width(), !p.reveal, !p.busy)
	box.row += 2
	p.status(box, f.Now)
	box.row = box.y + 11
	box.rule()
	box.gap()
	box.facts(f.Facts)
}

// status writes the two lines below the input.
func (p *Passcode) status(box *panel, now time.Time) {
	wait := seconds(now, p.until)
	switch {
	case p.busy:
		box.line("Checking the passcode ...", Accent)
	case p.holdCode != "":
		box.banner("Too many attempts", BadBanner)
		box.line(fmt.Sprintf("Hold code %s: an administrator can let this device try, in the", p.holdCode), Warn)
		box.line(fmt.Sprintf("console under Waiting devices.%s", waitText(wait)), Warn)
	case wait > 0:
		box.banner("Too many attempts: wait "+countdown(wait), BadBanner)
		box.line("You can type meanwhile; Enter works when the wait is over.", Warn)
	case p.refused != "":
		box.banner(p.refused, BadBanner)
		box.line("F2 shows what you type, F3 changes the keyboard layout.", Warn)
	case !p.until.IsZero():
		box.line("You can try again now.", Good)
	case p.warning != "":
		box.text(p.warning, Warn)
	}
}

func waitText(wait int) string {
	if wait == 0 {
		return " You can try again now."
	}
	return " Otherwise wait " + countdown(wait) + "."
}
