package config

import (
	"slices"
	"strings"

	"slipway/tasksequence"
)

// Unused is a variable that sets nothing and is spelled nearly as one that does. It may be
// another program's, so that it is no error.
type Unused struct {
	Variable string
	Nearest  []string
}

// String is a sentence for people.
func (u Unused) String() string {
	return u.Variable + " sets no key; the nearest variable is " + strings.Join(u.Nearest, " or ")
}

// shortName is the length up to which a name may differ by one letter only: short words
// are near to many others.
const shortName = 6

// nearest finds the known variables that differ from a name by the fewest letters, two at
// most; none when there are no such.
func nearest(name string, known []string) (found []string) {
	text, ours := strings.CutPrefix(name, prefix)
	if !ours {
		return nil
	}
	least := 3
	for _, k := range known {
		key := strings.TrimPrefix(k, prefix)
		d := tasksequence.Distance(text, key)
		if d == 0 || d > 1 && len(key) <= shortName || d > least || d > 2 {
			continue
		}
		if d < least {
			least, found = d, nil
		}
		found = append(found, k)
	}
	slices.Sort(found)
	return found
}
