package screen

import "strings"

// maxField bounds what can be typed, in characters.
const maxField = 200

// Field is a line of input. The cursor is always at its end.
type Field struct {
	runes []rune
}

// Key edits the field and reports whether it used the key.
func (f *Field) Key(k Key) bool {
	switch {
	case k.Code == Rune && len(f.runes) < maxField:
		f.runes = append(f.runes, k.Rune)
	case k.Code == Backspace && len(f.runes) > 0:
		f.runes = f.runes[:len(f.runes)-1]
	case k.Code == Ctrl && k.Rune == 'u':
		f.runes = nil
	default:
		return false
	}
	return true
}

// Text is what has been typed.
func (f *Field) Text() string { return string(f.runes) }

// Set replaces the content.
func (f *Field) Set(text string) { f.runes = []rune(text) }

// Clear empties the field.
func (f *Field) Clear() { f.runes = nil }

// Draw draws the field over width cells and puts the cursor at its end. The
// beginning moves out of sight when the text is longer.
func (f *Field) Draw(c *Canvas, x, y, width int, masked, active bool) {
	shown := string(f.runes)
	if masked {
		shown = strings.Repeat("*", len(f.runes))
	}
	room := width - 3
	if r := []rune(shown); len(r) > room {
		shown = "<" + string(r[len(r)-room+1:])
	}
	c.Fill(x, y, width, 1, Input)
	end := c.Text(x+1, y, shown, Input)
	if active {
		c.CursorX, c.CursorY = end, y
	}
}
