package screen

import "fmt"

// Item is one row of a choice.
type Item struct {
	Name, Description string
}

// Choice is a list to choose from: arrow keys, or a digit for the rows on screen.
type Choice struct {
	Title, Headline string
	items           []Item
	at, page        int
	chosen          chan int
	actions         *Notice // keys beside the list
}

// NewChoice returns a choice among items.
func NewChoice(title, headline string, items []Item, actions ...Action) *Choice {
	n := NewNotice("", "", Calm)
	n.Actions = actions
	return &Choice{Title: title, Headline: headline, items: items, page: pageRows, chosen: make(chan int, 1), actions: n}
}

// pageRows is how many items one page shows: digits 1 to 9 choose among them.
const pageRows = 9

// Chosen gives the index of the chosen item.
func (p *Choice) Chosen() <-chan int { return p.chosen }

// Action gives the value of a pressed action key.
func (p *Choice) Action() <-chan string { return p.actions.Chosen() }

// Hints implements Page.
func (p *Choice) Hints() []Hint {
	hints := []Hint{{"Enter", "Enter", "Start"}, {"1-9", "1-9", "Pick"}}
	if len(p.items) > p.page {
		hints = append(hints, Hint{"PgUp/PgDn", "N/P", "Page"})
	}
	return append(hints, p.actions.Hints()...)
}

// Key implements Page.
func (p *Choice) Key(k Key) {
	last := len(p.items) - 1
	switch {
	case k.Code == Up:
		p.at = max(0, p.at-1)
	case k.Code == Down:
		p.at = min(last, p.at+1)
	case k.Code == PageUp || k.Code == Rune && (k.Rune == 'p' || k.Rune == 'P'):
		p.at = max(0, p.at-p.page)
	case k.Code == PageDown || k.Code == Rune && (k.Rune == 'n' || k.Rune == 'N'):
		p.at = min(last, p.at+p.page)
	case k.Code == Home:
		p.at = 0
	case k.Code == End:
		p.at = last
	case k.Code == Enter:
		p.choose(p.at)
	case k.Code == Rune && k.Rune >= '1' && k.Rune <= '9':
		if i := p.first() + int(k.Rune-'1'); i <= last {
			p.at = i
			p.choose(i)
		}
	default:
		p.actions.Key(k)
	}
}

func (p *Choice) choose(i int) {
	if i < 0 || i >= len(p.items) {
		return
	}
	select {
	case p.chosen <- i:
	default:
	}
}

func (p *Choice) first() int { return p.at / p.page * p.page }

// Draw implements Page.
func (p *Choice) Draw(c *Canvas, f Frame) {
	headline := Wrap(p.Headline, panelWidth(c.W)-6)
	p.page = max(1, min(pageRows, c.H-12-c.Top-len(headline)))
	shown := min(p.page, len(p.items))
	box := openPanel(c, p.Title, shown+6+len(headline), Accent)
	for _, l := range headline {
		box.line(l, Strong)
	}
	box.gap()
	first := p.first()
	for i := first; i < min(first+p.page, len(p.items)); i++ {
		style := Normal
		if i == p.at {
			style = Selected
			c.Fill(box.x+2, box.row, box.w-4, 1, style)
		}
		box.line(fmt.Sprintf("%d  %s", i-first+1, p.items[i].Name), style)
	}
	box.row = box.y + 3 + len(headline) + shown
	pages := (len(p.items) + p.page - 1) / p.page
	if pages > 1 {
		box.line(fmt.Sprintf("Page %d of %d", first/p.page+1, pages), Dim)
	} else {
		box.gap()
	}
	box.rule()
	if p.at < len(p.items) {
		box.text(p.items[p.at].Description, Normal)
	}
}
