package installed

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"slipway/agent/internal/screen"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// lines writes what happens line by line, for whoever reads the output of an
// unattended start. Nothing of a step's output or variables is in it.
type lines struct {
	to  io.Writer
	now func() time.Time

	mu      sync.Mutex
	last    string // notice
	of      int    // steps
	started map[string]time.Time
	held    *[]string // while the terminal shows pages; nil: lines are written at once
}

func newLines(to io.Writer, now func() time.Time) *lines {
	return &lines{to: to, now: now, started: map[string]time.Time{}}
}

// say writes one line.
func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(fmt.Sprintf(format, args...))
}

func (l *lines) write(text string) {
	if l.held != nil {
		*l.held = append(*l.held, text)
		return
	}
	fmt.Fprintln(l.to, oneLine(text))
}

// hold keeps lines back until release: the terminal is in use.
func (l *lines) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = new([]string)
}

func (l *lines) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.held
	l.held = nil
	for _, text := range *held {
		l.write(text)
	}
}

// shown turns the notices that a person would see into lines, each once.
func (l *lines) shown(p screen.Page) {
	n, ok := p.(*screen.Notice)
	if !ok {
		return
	}
	text := n.Headline
	if n.Tone == screen.Trouble && n.Text != "" {
		text += ": " + n.Text
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == l.last {
		return
	}
	l.last = text
	l.write(text)
	for _, item := range n.List {
		l.write("  " + item)
	}
}

func (l *lines) began(d wire.Deployment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of = d.StepCount
	l.write(fmt.Sprintf("Task sequence %q, %s, deployment %s", d.Name, howMany(d.StepCount), d.ID))
}

func howMany(n int) string {
	if n == 1 {
		return "1 step"
	}
	return fmt.Sprintf("%d steps", n)
}

// event writes the begin and the end of each step.
func (l *lines) event(e wire.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	step := fmt.Sprintf("Step %d of %d: %s", e.StepNumber, l.of, e.Name)
	if e.StepNumber == 0 { // a group
		step = e.Name
	}
	switch {
	case e.Kind == wire.EventStepStarted:
		l.started[e.Path] = l.now()
		l.write(step)
	case e.Kind == wire.EventStepFinished && e.Result != nil:
		l.write(step + ": " + l.result(e))
	}
}

func (l *lines) result(e wire.Event) string {
	text := e.Result.Status
	if text == tasksequence.Skipped {
		text = "left out"
	}
	if begun, ok := l.started[e.Path]; ok {
		text += fmt.Sprintf(" (%.1f s)", l.now().Sub(begun).Seconds())
	}
	if e.Result.Message != "" {
		text += ": " + e.Result.Message
	}
	return text
}

// oneLine makes a text safe for a terminal and one line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
