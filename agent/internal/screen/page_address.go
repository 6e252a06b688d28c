package screen

// Address asks for one line of text: the appliance's address.
type Address struct {
	field   Field
	wrong   string
	answers chan string
}

// NewAddress returns the page, with what stands in its input at first.
func NewAddress(preset string) *Address {
	a := &Address{answers: make(chan string, 1)}
	a.field.Set(preset)
	return a
}

// Answers gives the typed address; it is empty when the technician went back.
func (a *Address) Answers() <-chan string { return a.answers }

// Refuse says what is wrong with the typed address.
func (a *Address) Refuse(why string) { a.wrong = why }

// Hints implements Page.
func (a *Address) Hints() []Hint {
	return []Hint{{"Enter", "Enter", "Use it"}, {"Esc", "Esc", "Back"}, hintKeyboard()}
}

// Key implements Page.
func (a *Address) Key(k Key) {
	answer := ""
	switch k.Code {
	case Enter:
		if answer = a.field.Text(); answer == "" {
			return
		}
	case Escape:
	default:
		a.field.Key(k)
		return
	}
	select {
	case a.answers <- answer:
	default:
	}
}

// Draw implements Page.
func (a *Address) Draw(c *Canvas, f Frame) {
	box := openPanel(c, "Appliance", 14, Accent)
	box.line("Type the appliance's address", Strong)
	box.line("A name or an IP address, with its port when that is not 8443.", Normal)
	box.gap()
	a.field.Draw(c, box.left(), box.row, box.width(), false, true)
	box.row += 2
	box.line(a.wrong, Bad)
	box.gap()
	box.rule()
	box.gap()
	box.facts(f.Facts)
}
