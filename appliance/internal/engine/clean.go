package engine

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what a device may report, in bytes.
const (
	maxMessage = 2000
	maxText    = 8 << 10 // of a log line
	maxShort   = 200     // names, levels, environments
)

// clean makes a reported text harmless in terminals, log files and lists: control
// characters, line separators and text direction overrides become visible marks,
// tabs stay, and what is longer than most bytes is cut.
func clean(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\t':
			return c
		case c < 0x20:
			return 0x2400 + c // control pictures
		case c == 0x7f:
			return 0x2421
		case c >= 0x80 && c < 0xa0, c == 0x2028, c == 0x2029, unicode.Is(unicode.Bidi_Control, c):
			return utf8.RuneError
		}
		return c
	}, text)
}
