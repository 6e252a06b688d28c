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
// reading direction by a visible escape, and cuts the text at limit characters.
func cleanText(s string, limit int) string {
	if isClean(s) && len(s) <= limit {
		return s
	}
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n == limit {
			b.WriteRune('…')
			break
		}
		n++
		_, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !isShown(r) && r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case !isShown(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
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
