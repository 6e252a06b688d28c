package tasksequence

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	long := strings.Repeat("a", 65)
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"Name", "Name", 0}, {"Nmae", "Name", 1}, {"Nam", "Name", 1}, {"Naame", "Name", 1}, {"Nome", "Name", 1},
		{"", "Name", 4}, {"Condition", "Steps", 8}, {"abcd", "badc", 2}, {long, long, 64}} {
		if got := Distance(c.a, c.b); got != c.want || Distance(c.b, c.a) != c.want {
			t.Errorf("%q, %q: %d", c.a, c.b, got)
		}
	}
}
