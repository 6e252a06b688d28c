package tasksequence

import (
	"errors"
	"strings"
)

// MaxExpanded bounds the length in bytes of a text after replacement.
const MaxExpanded = 1 << 20

// ErrTooLong says that a text became longer than MaxExpanded by its variables.
var ErrTooLong = errors.New("the text is too long after its variables were filled in; at most 1 MiB is allowed")

// Expand replaces each %NAME% by the variable's value, a list joined by commas,
// and %% by a single percent sign. A %NAME% without such a variable, and a lone
// percent sign, stay as they are: on Windows the shell may still know them. What
// was filled in is not looked at again, so a value cannot smuggle in a reference.
func (v *Variables) Expand(text string) (string, error) {
	if !strings.Contains(text, "%") {
		return text, nil
	}
	var out strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, "%")
		out.WriteString(before)
		if !found {
			break
		}
		name, used := reference(rest)
		switch value, exists := v.Get(name); {
		case used == 0: // a lone percent sign
			out.WriteByte('%')
		case name == "": // %%
			out.WriteByte('%')
		case exists:
			out.WriteString(value.String())
		default:
			out.WriteString("%" + rest[:used])
		}
		if out.Len() > MaxExpanded {
			return "", ErrTooLong
		}
		text = rest[used:]
	}
	if out.Len() > MaxExpanded {
		return "", ErrTooLong
	}
	return out.String(), nil
}

// reference reads what follows a percent sign: a name up to the closing sign, or
// at once the closing sign. used counts the bytes read with that sign; zero says
// that the percent sign stands for itself.
func reference(rest string) (name string, used int) {
	for i := range len(rest) {
		if rest[i] == '%' {
			return rest[:i], i + 1
		}
		if !nameByte(rest[i], i == 0) {
			return "", 0
		}
	}
	return "", 0
}

// soleReference returns the name when text is exactly one %NAME%. Such a setting
// passes a list on as a list.
func soleReference(text string) (string, bool) {
	if len(text) < 3 || text[0] != '%' {
		return "", false
	}
	name, used := reference(text[1:])
	return name, name != "" && used == len(text)-1
}
