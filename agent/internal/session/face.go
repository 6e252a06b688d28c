package session

import (
	"context"
	"slices"
	"time"

	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// face shows a running deployment: it is the runner's Face.
type face struct {
	display *screen.Display
	page    *screen.Progress
	now     func() time.Time
}

func newFace(d *screen.Display, dep wire.Deployment, now func() time.Time) *face {
	f := &face{display: d, page: screen.NewProgress(dep.Name, dep.StepCount, now()), now: now}
	d.Show(f.page)
	return f
}

func (f *face) Step(number, of int, name string) {
	f.display.Update(func() { f.page.Number, f.page.Count, f.page.Step = number, of, name })
}

func (f *face) Progress(percent int, text string) {
	f.display.Touch(func() { f.page.Percent, f.page.Detail = percent, text })
}

func (f *face) Log(line string) { f.display.Touch(func() { f.page.Log(line) }) }

// tail returns the last lines that were shown.
func (f *face) tail() (lines []string) {
	f.display.Update(func() { lines = slices.Clone(f.page.Tail(resultLines)) })
	return lines
}

// resultLines is how many lines of output stay on the page of the result.
const resultLines = 14

func (f *face) Alert(text string) { f.display.Update(func() { f.page.Alert = text }) }

func (f *face) Ask(ctx context.Context, question string) (bool, error) {
	defer f.display.Show(f.page)
	page := screen.NewChoice("Interrupted step", question, []screen.Item{
		{Name: "Run it again", Description: "Choose this when doing it twice does no harm."},
		{Name: "Do not run it again", Description: "The step counts as failed."},
	})
	f.display.Show(page)
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case i := <-page.Chosen():
		return i == 0, nil
	}
}

func (f *face) Countdown(ctx context.Context, message string, d time.Duration) error {
	n := screen.NewNotice("Restart", message, screen.Calm)
	n.Next, n.Until = "Restarting", f.now().Add(d)
	f.display.Show(n)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
