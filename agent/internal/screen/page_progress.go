package screen

import (
	"fmt"
	"strings"
	"time"
)

// maxTail bounds the lines of output that the progress page keeps.
const maxTail = 60

// Progress shows a running deployment.
type Progress struct {
	Name    string // of the task sequence
	Step    string // name of the running step
	Number  int    // N of "Step N of M"
	Count   int
	Percent int // -1: unknown
	Detail  string
	Started time.Time
	Alert   string // what is wrong with the connection, or that it is paused
	tail    []string
}

// NewProgress returns the page for a sequence.
func NewProgress(name string, count int, started time.Time) *Progress {
	return &Progress{Name: name, Count: count, Started: started, Percent: -1}
}

// Log adds a line of output.
func (p *Progress) Log(line string) {
	p.tail = append(p.tail, line)
	if len(p.tail) > maxTail {
		p.tail = append([]string(nil), p.tail[len(p.tail)-maxTail:]...)
	}
}

// Tail returns the last lines of output, n at most.
func (p *Progress) Tail(n int) []string { return p.tail[max(0, len(p.tail)-n):] }

// Hints implements Page.
func (p *Progress) Hints() []Hint { return nil }

// Key implements Page.
func (p *Progress) Key(Key) {}

// Draw implements Page.
func (p *Progress) Draw(c *Canvas, f Frame) {
	box := openPanel(c, p.Name, c.H-8-c.Top, Accent)
	step := "Starting"
	if p.Number > 0 {
		step = fmt.Sprintf("Step %d of %d", p.Number, p.Count)
	}
	box.line(step, Strong)
	elapsed := clock(f.Now.Sub(p.Started))
	c.Text(box.x+box.w-3-len(elapsed), box.row-1, elapsed, Dim)
	box.line(p.Step, Accent)
	box.gap()
	p.bar(box)
	switch {
	case p.Alert != "":
		box.banner(p.Alert, BadBanner)
	case f.Facts.Note != "":
		box.banner(f.Facts.Note, BadBanner)
	default:
		box.line(p.Detail, Dim)
	}
	box.rule()
	room := box.y + box.h - 1 - box.row
	tail := p.tail[max(0, len(p.tail)-room):]
	for _, l := range tail {
		box.line(strings.ReplaceAll(l, "\t", "    "), Normal)
	}
}

// bar draws the finished part of the whole sequence, with the running step's
// own share.
func (p *Progress) bar(box *panel) {
	width := box.width() - 6
	done := 0.0
	if p.Number > 0 && p.Count > 0 {
		done = float64(p.Number-1) + max(0, float64(p.Percent)/100)
		done /= float64(p.Count)
	}
	done = min(max(done, 0), 1)
	filled := int(done * float64(width))
	for i := range width {
		r, s := '─', Dim
		if i < filled {
			r, s = '█', Accent
		}
		box.c.Put(box.left()+i, box.row, r, s)
	}
	box.c.Text(box.left()+width+1, box.row, fmt.Sprintf("%3d %%", int(done*100)), Normal)
	box.row++
}
