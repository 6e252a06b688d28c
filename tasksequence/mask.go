package tasksequence

import (
	"slices"
	"strings"
)

// Masked stands wherever a secret would be shown.
const Masked = "***"

// Masker replaces secret values in texts. Safe for concurrent use.
type Masker struct{ secrets []string }

// NewMasker returns a Masker for these values. Empty ones are left out. The lines
// of a value of several lines are masked one by one as well, because output is
// reported by line.
func NewMasker(secrets []string) *Masker {
	var all []string
	for _, secret := range secrets {
		all = append(all, secret)
		for line := range strings.Lines(secret) {
			all = append(all, strings.TrimRight(line, "\r\n"))
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return &Masker{secrets: slices.DeleteFunc(all, func(s string) bool { return strings.TrimSpace(s) == "" })}
}

// Mask returns text with every occurrence of a secret replaced by ***.
// Occurrences that overlap or touch are replaced together, so that no part of
// the second one is left over.
func (m *Masker) Mask(text string) string {
	spans := m.find(text)
	if spans == nil {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var out strings.Builder
	done := 0
	for i := 0; i < len(spans); {
		from, to := spans[i].from, spans[i].to
		for i++; i < len(spans) && spans[i].from <= to; i++ {
			to = max(to, spans[i].to)
		}
		out.WriteString(text[done:from])
		out.WriteString(Masked)
		done = to
	}
	out.WriteString(text[done:])
	return out.String()
}

type span struct{ from, to int }

func (m *Masker) find(text string) []span {
	var spans []span
	for _, secret := range m.secrets {
		for from := 0; ; {
			i := strings.Index(text[from:], secret)
			if i < 0 {
				break
			}
			spans = append(spans, span{from + i, from + i + len(secret)})
			from += i + 1
		}
	}
	return spans
}

// With returns a Masker that masks these values as well.
func (m *Masker) With(secrets []string) *Masker {
	return NewMasker(slices.Concat(m.secrets, secrets))
}
