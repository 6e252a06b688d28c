package screen

import (
	"context"
	"sync"
	"time"
)

// Options are what the display needs from outside. Nil functions switch their
// key off.
type Options struct {
	Now         func() time.Time
	SetKeyboard func(Layout) error
	Power       func(off bool)
	Shell       func(tty string) // runs until the shell ends; lab images only
	Log         func() []string  // newest last
	Shown       func(Page)       // is told the page whenever it is drawn, as on a terminal; it must not call the display
}

// Display shows one page at a time on all terminals and gives it their keys.
type Display struct {
	options Options

	mu        sync.Mutex
	page      Page
	overlay   Page // the keyboard, power and log pages, above page
	facts     Facts
	terminals []*Terminal
	dirty     bool
	painted   time.Time
}

// NewDisplay returns a display that shows page first.
func NewDisplay(o Options, page Page, facts Facts, terminals ...*Terminal) *Display {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Display{options: o, page: page, facts: facts, terminals: terminals}
}

// Show replaces the page.
func (d *Display) Show(p Page) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.page = p
	d.draw()
}

// Update changes page state and draws at once.
func (d *Display) Update(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
	d.draw()
}

// Touch changes page state and draws with the next tick: for what changes many
// times a second.
func (d *Display) Touch(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
	d.dirty = true
}

// SetFacts changes the facts that every page shows.
func (d *Display) SetFacts(fn func(*Facts)) { d.Update(func() { fn(&d.facts) }) }

// Facts returns the facts now shown.
func (d *Display) Facts() Facts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.facts
}

// draw composes the page for each terminal. The lock is held.
func (d *Display) draw() {
	d.dirty = false
	if d.options.Shown != nil {
		d.options.Shown(d.page)
	}
	page := d.page
	if d.overlay != nil {
		page = d.overlay
	}
	for _, t := range d.terminals {
		w, h := t.size()
		c := NewCanvas(w, h, t.Serial)
		c.Plain = t.plain.Load()
		compose(c, page, Frame{Now: d.options.Now(), Facts: d.facts}, d.globalHints())
		t.show(c)
	}
}

func (d *Display) globalHints() []Hint {
	if d.overlay != nil {
		return nil
	}
	var hints []Hint
	if d.options.Log != nil {
		hints = append(hints, hintDetails())
	}
	if d.options.Shell != nil {
		hints = append(hints, hintShell())
	}
	if d.options.Power != nil {
		hints = append(hints, hintPower())
	}
	return hints
}

const (
	tick         = 100 * time.Millisecond
	repaintEvery = time.Minute // a terminal attached late, or disturbed, sees the page again
)

// Run reads keys and draws until ctx ends; then it closes the terminals.
func (d *Display) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	keys := make(chan input)
	var wg sync.WaitGroup
	for _, t := range d.terminals {
		wg.Go(func() { t.read(ctx, keys) })
		wg.Go(func() { t.write(ctx) })
	}
	defer func() {
		cancel()
		for _, t := range d.terminals {
			t.device.Close()
		}
		wg.Wait()
	}()
	d.Update(func() { d.painted = d.options.Now() })
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	second := d.options.Now().Unix()
	for {
		select {
		case <-ctx.Done():
			return
		case in := <-keys:
			d.key(in)
		case <-ticker.C:
			now := d.options.Now()
			d.mu.Lock()
			if now.Sub(d.painted).Abs() > repaintEvery {
				d.repaint(now)
			}
			if d.dirty || now.Unix() != second {
				second = now.Unix()
				d.draw()
			}
			d.mu.Unlock()
		}
	}
}

func (d *Display) repaint(now time.Time) {
	d.painted = now
	for _, t := range d.terminals {
		t.repaint()
	}
}

// key gives a key to the overlay, to the display's own keys, or to the page.
func (d *Display) key(in input) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.draw()
	if d.overlay != nil {
		d.overlayKey(in.key)
		return
	}
	switch in.key.Plain().Code {
	case F3:
		if d.options.SetKeyboard != nil {
			d.overlay = d.keyboardPage()
		}
	case F8:
		if d.options.Log != nil {
			d.overlay = &logPage{lines: d.options.Log}
		}
	case F9:
		if shell := d.options.Shell; shell != nil {
			d.mu.Unlock()
			in.terminal.lend(func() { shell(in.terminal.Name) })
			d.mu.Lock()
		}
	case F10:
		if d.options.Power != nil {
			d.overlay = powerPage()
		}
	default:
		if in.key.Code == Escape {
			in.terminal.repaint()
		}
		d.page.Key(in.key)
	}
}
