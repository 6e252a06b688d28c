package screen

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// KeyCode names a key that is not a character.
type KeyCode uint8

// The keys. Rune is a character, in Key.Rune.
const (
	Rune KeyCode = iota
	Enter
	Backspace
	Delete
	Tab
	Escape
	Up
	Down
	Left
	Right
	PageUp
	PageDown
	Home
	End
	F1
	F2
	F3
	F4
	F5
	F6
	F7
	F8
	F9
	F10
	Ctrl   // with a letter: Key.Rune is 'a' to 'z'
	Report // no key: the terminal tells the cursor's column, counted from 1, in Key.Rune
)

// Key is one key press.
type Key struct {
	Code KeyCode
	Rune rune
}

// sequences are the escape sequences of the Linux console, xterm and VT100-like
// serial terminals, without the leading ESC.
func sequences() map[string]KeyCode {
	return map[string]KeyCode{
		"[A": Up, "[B": Down, "[C": Right, "[D": Left, "OA": Up, "OB": Down, "OC": Right, "OD": Left,
		"[5~": PageUp, "[6~": PageDown, "[1~": Home, "[4~": End, "[H": Home, "[F": End, "OH": Home, "OF": End,
		"[7~": Home, "[8~": End, "[3~": Delete,
		"[[A": F1, "[[B": F2, "[[C": F3, "[[D": F4, "[[E": F5, // Linux console
		"OP": F1, "OQ": F2, "OR": F3, "OS": F4, "[15~": F5, // xterm, VT220
		"[11~": F1, "[12~": F2, "[13~": F3, "[14~": F4,
		"[17~": F6, "[18~": F7, "[19~": F8, "[20~": F9, "[21~": F10,
	}
}

// maxSequence bounds an escape sequence; longer ones are thrown away.
const maxSequence = 16

// Decoder turns the bytes of one terminal into keys. It keeps what is
// incomplete until more bytes come or Flush is called.
type Decoder struct {
	table map[string]KeyCode
	rest  []byte
	cr    bool // the last byte was CR: a following LF is the same key
}

// NewDecoder returns an empty Decoder.
func NewDecoder() *Decoder { return &Decoder{table: sequences()} }

// Feed takes bytes and returns the keys that are complete.
func (d *Decoder) Feed(p []byte) []Key {
	d.rest = append(d.rest, p...)
	var keys []Key
	for len(d.rest) > 0 {
		n, k, ok := d.next()
		if n == 0 {
			break
		}
		d.rest = d.rest[n:]
		if ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// Pending reports whether an incomplete sequence waits.
func (d *Decoder) Pending() bool { return len(d.rest) > 0 }

// Flush ends an incomplete sequence: a lone ESC is the Escape key, and what begins a
// character of UTF-8 that nothing follows comes from a terminal that sends Latin-1.
func (d *Decoder) Flush() []Key {
	rest := d.rest
	d.rest = nil
	if len(rest) == 0 || rest[0] == 0x1b {
		if len(rest) == 1 {
			return []Key{{Code: Escape}}
		}
		return nil
	}
	var keys []Key
	for _, b := range rest {
		if b >= 0xa0 {
			keys = append(keys, Key{Code: Rune, Rune: rune(b)})
		}
	}
	return keys
}

// next reads one key; n 0 means that bytes are missing.
func (d *Decoder) next() (n int, k Key, ok bool) {
	b := d.rest[0]
	wasCR := d.cr
	d.cr = b == '\r'
	switch {
	case b == 0x1b:
		return d.escape()
	case b == '\n' && wasCR:
		return 1, Key{}, false
	case b == '\r' || b == '\n':
		return 1, Key{Code: Enter}, true
	case b == 0x7f || b == 0x08:
		return 1, Key{Code: Backspace}, true
	case b == '\t':
		return 1, Key{Code: Tab}, true
	case b >= 1 && b <= 26:
		return 1, Key{Code: Ctrl, Rune: rune('a' + b - 1)}, true
	case b < 0x20:
		return 1, Key{}, false
	}
	if !utf8.FullRune(d.rest) {
		return 0, Key{}, false
	}
	r, size := utf8.DecodeRune(d.rest)
	if r == utf8.RuneError && size == 1 { // a terminal that sends Latin-1
		r = rune(b)
	}
	return size, Key{Code: Rune, Rune: r}, r >= 0xa0 || r < 0x80
}

func (d *Decoder) escape() (n int, k Key, ok bool) {
	s := d.rest[1:]
	if len(s) == 0 {
		return 0, Key{}, false
	}
	if s[0] != '[' && s[0] != 'O' {
		return 1, Key{Code: Escape}, true
	}
	for i := 1; i < len(s) && i < maxSequence; i++ {
		if i == 1 && s[0] == '[' && s[1] == '[' { // Linux console function keys
			continue
		}
		if s[i] >= 0x40 && s[i] <= 0x7e {
			if column, ok := report(string(s[:i+1])); ok {
				return i + 2, Key{Code: Report, Rune: column}, true
			}
			code, known := d.table[string(s[:i+1])]
			return i + 2, Key{Code: code}, known
		}
	}
	if len(s) >= maxSequence {
		return len(d.rest), Key{}, false
	}
	return 0, Key{}, false
}

// report reads the answer to a question for the cursor's place (CPR, ECMA-48):
// "[line;columnR".
func report(s string) (column rune, ok bool) {
	s, isReport := strings.CutSuffix(s, "R")
	_, text, found := strings.Cut(s, ";")
	n, err := strconv.ParseUint(text, 10, 15)
	return rune(n), isReport && found && err == nil
}
