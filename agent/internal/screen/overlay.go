package screen

// logPage shows the newest lines of the agent's log.
type logPage struct{ lines func() []string }

func (p *logPage) Hints() []Hint { return []Hint{{"Esc", "Esc", "Back"}} }
func (p *logPage) Key(Key)       {}

func (p *logPage) Draw(c *Canvas, _ Frame) {
	var lines []string
	for _, l := range p.lines() {
		for i, part := range Wrap(l, c.W-4) {
			if i > 0 {
				part = "  " + part
			}
			lines = append(lines, part)
		}
	}
	for i, l := range lines[max(0, len(lines)-(c.H-2-c.top())):] {
		c.Text(1, c.top()+i, l, Normal)
	}
}

// keyboardPage is the choice of layouts.
func (d *Display) keyboardPage() Page {
	var items []Item
	at := 0
	for i, l := range Layouts() {
		items = append(items, Item{l.Name, "Accents are typed as themselves. Serial terminals are not affected."})
		if l.Name == d.facts.Keyboard {
			at = i
		}
	}
	p := NewChoice("Keyboard", "Choose the keyboard layout", items)
	p.at = at
	return &menu{Choice: p, enter: "Use it"}
}

// powerPage asks whether to restart or power off.
func powerPage() Page {
	return &menu{enter: "Do it", power: true, Choice: NewChoice("Power", "Restart or power off?", []Item{
		{"Back", "Nothing happens."},
		{"Restart the computer", "A running deployment is left unfinished and can be continued afterwards."},
		{"Power off", "A running deployment is left unfinished and can be continued afterwards."},
	})}
}

// menu is a choice above another page; Escape leaves it.
type menu struct {
	*Choice
	enter string
	power bool
}

func (m *menu) Hints() []Hint {
	hints := m.Choice.Hints()
	hints[0].Text = m.enter
	return append(hints, Hint{"Esc", "Esc", "Back"})
}

// overlayKey gives a key to the overlay and acts on what it chose. The lock is held.
func (d *Display) overlayKey(k Key) {
	m, isMenu := d.overlay.(*menu)
	if k.Code == Escape || !isMenu {
		d.overlay = nil
		return
	}
	m.Key(k)
	select {
	case i := <-m.Chosen():
		d.overlay = nil
		if m.power {
			d.power(i)
		} else {
			d.keyboard(Layouts()[i])
		}
	default:
	}
}

func (d *Display) power(choice int) {
	if choice > 0 {
		d.options.Power(choice == 2)
	}
}

func (d *Display) keyboard(l Layout) {
	if d.options.SetKeyboard == nil {
		return
	}
	if err := d.options.SetKeyboard(l); err != nil {
		d.facts.Keyboard = "layout not changed: " + err.Error()
		return
	}
	d.facts.Keyboard = l.Name
}
