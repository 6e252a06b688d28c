package screen

import (
	"fmt"
	"time"
)

// Tone is how serious a notice is.
type Tone uint8

// The tones.
const (
	Calm Tone = iota
	Trouble
	Success
)

// Action is a key that a notice offers.
type Action struct {
	Hint  Hint
	Keys  []KeyCode
	Value string // what Chosen gives
}

// ActionRetry offers to try again, by Enter too.
func ActionRetry() Action { return Action{hintRetry(), []KeyCode{F5, Enter}, "retry"} }

// ActionRefresh is ActionRetry for pages where Enter means something else.
func ActionRefresh() Action {
	return Action{Hint{"F5", "^T", "Refresh"}, []KeyCode{F5}, "retry"}
}

// ActionSkip offers not to wait.
func ActionSkip() Action {
	return Action{Hint{"Enter", "Enter", "Do not wait"}, []KeyCode{Enter}, "skip"}
}

// ActionAddress offers to type the appliance's address.
func ActionAddress() Action { return Action{hintAddress(), []KeyCode{F6}, "address"} }

// ActionRestart offers to restart the computer by Enter.
func ActionRestart() Action {
	return Action{Hint{"Enter", "Enter", "Restart the computer"}, []KeyCode{Enter}, "restart"}
}

// ActionSignIn offers to start again from the sign-in.
func ActionSignIn() Action {
	return Action{Hint{"F5", "^T", "Start again"}, []KeyCode{F5}, "again"}
}

// Notice is a page that tells something: a wait, a failure, a result.
type Notice struct {
	Title    string
	Headline string // the words a person reads first, e.g. "No answer from the appliance"
	Tone     Tone
	Text     string
	List     []string // what was tried, which adapters there are
	Tail     []string // lines of output, the last ones when there are too many
	Next     string   // what the countdown leads to: "Trying again"
	Until    time.Time
	Actions  []Action
	chosen   chan string
}

// NewNotice returns a notice; its fields are set before it is shown, or by Display.Update.
func NewNotice(title, headline string, tone Tone) *Notice {
	return &Notice{Title: title, Headline: headline, Tone: tone, chosen: make(chan string, 1)}
}

// Chosen gives the value of an action when its key is pressed.
func (n *Notice) Chosen() <-chan string { return n.chosen }

// Hints implements Page.
func (n *Notice) Hints() []Hint {
	var hints []Hint
	for _, a := range n.Actions {
		hints = append(hints, a.Hint)
	}
	return hints
}

// Key implements Page.
func (n *Notice) Key(k Key) {
	code := k.Plain().Code
	if code == Rune || code == Ctrl {
		return
	}
	for _, a := range n.Actions {
		for _, want := range a.Keys {
			if want == code {
				select {
				case n.chosen <- a.Value:
				default:
				}
				return
			}
		}
	}
}

// Draw implements Page.
func (n *Notice) Draw(c *Canvas, f Frame) {
	inner := panelWidth(c.W) - 6
	text := Wrap(n.Text, inner)
	var list []string
	for _, item := range n.List {
		for i, l := range Wrap(item, inner-2) {
			list = append(list, map[bool]string{true: "- ", false: "  "}[i == 0]+l)
		}
	}
	room := max(1, c.H-7-c.Top-len(text)-factRows-6)
	if len(list) > room {
		list = append(list[:room-1], fmt.Sprintf("  and %d more", len(list)-room+1))
	}
	tail := n.Tail[max(0, len(n.Tail)-max(0, room-len(list)-1)):]
	rows := 2 + len(text) + len(list) + 2 + 1 + factRows
	for _, block := range [][]string{list, tail} {
		if len(block) > 0 {
			rows++
		}
	}
	rows += len(tail)
	box := openPanel(c, n.Title, rows, map[Tone]Style{Calm: Accent, Trouble: Bad, Success: Good}[n.Tone])
	switch n.Tone {
	case Trouble:
		box.banner(n.Headline, BadBanner)
	case Success:
		box.banner(n.Headline, GoodBanner)
	default:
		box.line(n.Headline, Strong)
	}
	box.gap()
	for _, l := range text {
		box.line(l, Normal)
	}
	if len(list) > 0 {
		box.gap()
		for _, l := range list {
			box.line(l, Warn)
		}
	}
	if len(tail) > 0 {
		box.gap()
		for _, l := range tail {
			box.line(l, Dim)
		}
	}
	n.drawNext(box, f.Now)
	box.rule()
	box.gap()
	box.facts(f.Facts)
}

func (n *Notice) drawNext(box *panel, now time.Time) {
	box.gap()
	switch {
	case n.Next == "":
		box.gap()
	case n.Until.IsZero():
		box.line(n.Next+" "+spinner(now), Accent)
	default:
		box.line(n.Next+" in "+countdown(seconds(now, n.Until)), Accent)
	}
}

// countdown shows minutes only where seconds would be a long number.
func countdown(s int) string {
	if s > 99 {
		return clock(time.Duration(s) * time.Second)
	}
	return fmt.Sprintf("%d s", s)
}

func spinner(now time.Time) string { return string(`|/-\`[now.Unix()%4]) }
