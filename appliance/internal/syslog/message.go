package syslog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"slipway/fleet"
)

// sdID is the name of our structured data element.
const sdID = "slipway@32473"

// The longest messages, in bytes. A receiver should take 2048 (RFC 5424 section
// 6.1), and over UDP a longer one is cut on its way; rsyslog takes 8192 unless told
// otherwise.
const (
	maxDatagram = 2048
	maxStream   = 8192
)

const facilityAudit = 13

// The severities (RFC 5424 section 6.2.1).
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

func severity(outcome string) int {
	switch outcome {
	case "ok":
		return severityInfo
	case "refused":
		return severityWarning
	}
	return severityError
}

// Origin is who sends, as every message says.
type Origin struct {
	Host         string
	Installation string
}

// param is a parameter of the structured data element.
type param struct{ name, value string }

func params(e fleet.AuditEntry, o Origin) []param {
	list := []param{{"n", strconv.FormatInt(e.Number, 10)}}
	add := func(name, value string) {
		if value != "" {
			list = append(list, param{name, value})
		}
	}
	add("installation", o.Installation)
	add("actor", e.Actor)
	add("action", e.Action)
	add("object", e.Object)
	add("device", e.Device)
	add("address", e.Address)
	add("outcome", e.Outcome)
	add("reason", e.Reason)
	if e.Count > 1 {
		add("count", strconv.Itoa(e.Count))
	}
	if !e.First.IsZero() {
		add("first", stamp(e.First))
	}
	return list
}

// format is the entry as one RFC 5424 message of at most limit bytes, which is not
// below maxDatagram. What is too long is cut: the text first, then the values of
// the parameters, all to the same length.
func format(e fleet.AuditEntry, o Origin, limit int) []byte {
	head := fmt.Sprintf("<%d>1 %s %s slipway - %s ", facilityAudit*8+severity(e.Outcome), stamp(e.Time), ascii(o.Host, 255), ascii(e.Action, 32))
	list := params(e, o)
	for longest := limit; ; longest /= 2 {
		data := element(list, longest)
		room := limit - len(head) - len(data) - len(" ") - len(bom)
		if room < 0 {
			continue
		}
		return []byte(head + data + " " + bom + cut(harmless(text(e)), room))
	}
}

// bom marks a text in UTF-8 (RFC 5424 section 6.4).
const bom = "\xef\xbb\xbf"

// element writes the structured data, no value longer than longest bytes.
func element(list []param, longest int) string {
	var b strings.Builder
	b.WriteString("[" + sdID)
	for _, p := range list {
		fmt.Fprintf(&b, ` %s="%s"`, p.name, escape(cut(harmless(p.value), longest)))
	}
	b.WriteByte(']')
	return b.String()
}

// escape puts a backslash before what ends a value (RFC 5424 section 6.3.3).
func escape(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s) }

// harmless replaces what is no text: the log holds none of it, unless somebody else
// wrote into its files.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// cut shortens s, which is UTF-8, to at most limit bytes at the end of a character.
func cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	if limit < len(mark) {
		return ""
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// ascii makes a header field: printable ASCII without blanks, "-" for nothing.
func ascii(s string, limit int) string {
	out := strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if out == "" {
		return "-"
	}
	return out[:min(limit, len(out))]
}

// stamp is a time as RFC 5424 section 6.2.3 wants it; "-" for none and for years
// that it cannot say.
func stamp(t time.Time) string {
	if t = t.UTC(); t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return "-"
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// text says the entry in words.
func text(e fleet.AuditEntry) string {
	parts := []string{e.Actor, e.Action}
	for _, p := range []param{{"", e.Object}, {"device ", e.Device}, {"from ", e.Address}} {
		if p.value != "" {
			parts = append(parts, p.name+p.value)
		}
	}
	out := strings.Join(parts, " ") + ": " + e.Outcome
	if e.Reason != "" {
		out += " (" + e.Reason + ")"
	}
	if e.Count > 1 {
		out += fmt.Sprintf(", %d times", e.Count)
	}
	return out
}
