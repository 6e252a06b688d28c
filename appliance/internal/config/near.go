package config

import (
	"slices"
	"strings"
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
		d := differ(text, key)
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

// differ counts the letters that have to be put in, left out, replaced or swapped with
// their neighbour to make one text of another.
func differ(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			other := 1
			if a[i] == b[j] {
				other = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+other)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
