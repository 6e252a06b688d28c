package audit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"slipway/fleet"
)

// The longest field kept, in characters. Object, Device and Reason may come
// from a device or a form; nothing honest is longer.
const (
	maxField  = 160
	maxReason = 400
)

// clean makes every text of an entry harmless to show and short enough to keep.
func clean(e fleet.AuditEntry) fleet.AuditEntry {
	e.Actor = cleanText(e.Actor, maxField)
	e.Action = cleanText(e.Action, maxField)
	e.Object = cleanText(e.Object, maxField)
	e.Device = cleanText(e.Device, maxField)
	e.Address = cleanText(e.Address, maxField)
	e.Outcome = cleanText(e.Outcome, maxField)
	e.Reason = cleanText(e.Reason, maxReason)
	return e
}

// cleanText replaces what could forge a line, move the cursor or turn the
// reading direction by a visible escape, and cuts the text at limit characters as
// they are written: escapes do not make it longer.
func cleanText(s string, limit int) string {
	if isClean(s) && len(s) <= limit {
		return s
	}
	var b strings.Builder
	n := 0
	for i, r := range s {
		_, width := utf8.DecodeRuneInString(s[i:])
		text := string(r)
		switch {
		case r == utf8.RuneError && width == 1:
			text = fmt.Sprintf(`\x%02x`, s[i])
		case !isShown(r) && r < 0x100:
			text = fmt.Sprintf(`\x%02x`, r)
		case !isShown(r):
			text = fmt.Sprintf(`\u%04x`, r)
		}
		if n += utf8.RuneCountInString(text); n > limit {
			b.WriteRune('…')
			break
		}
		b.WriteString(text)
	}
	return b.String()
}

func isClean(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !isShown(r) }) < 0
}

// isShown reports whether r is safe in a list: a space, or a graphic character
// that is neither a control, a format character (zero width, direction) nor a
// line or paragraph separator.
func isShown(r rune) bool {
	return r == ' ' || unicode.IsPrint(r)
}
