package kmod

import (
	"fmt"
	"slices"
	"strings"
)

// Match returns the names of the modules in a modules.alias text whose pattern
// fits the modalias, sorted.
func Match(aliases, modalias string) []string {
	var out []string
	for line := range strings.Lines(aliases) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "alias" && Glob(f[1], modalias) {
			out = append(out, f[2])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// PCIAlias writes the modalias of a PCI network adapter (class 0200) without
// subsystem ids, as /sys/bus/pci/devices/*/modalias spells it.
func PCIAlias(vendor, device uint16) string {
	return fmt.Sprintf("pci:v%08Xd%08Xsv00000000sd00000000bc02sc00i00", vendor, device)
}

// Glob matches a pattern of *, ? and [set] against s, as fnmatch(3) without flags.
func Glob(pattern, s string) bool {
	var star, mark = -1, 0
	p, i := 0, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, i
			p++
			continue
		}
		if n := one(pattern[p:], s[i]); n > 0 {
			p += n
			i++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// one matches the first element of a pattern against one byte and returns the
// element's length, or 0 when it does not fit.
func one(pattern string, c byte) int {
	if pattern == "" {
		return 0
	}
	switch pattern[0] {
	case '?':
		return 1
	case '[':
		end := strings.IndexByte(pattern, ']')
		if end < 2 {
			break
		}
		if inSet(pattern[1:end], c) {
			return end + 1
		}
		return 0
	}
	if pattern[0] == c {
		return 1
	}
	return 0
}

func inSet(set string, c byte) bool {
	negate := set[0] == '!' || set[0] == '^'
	if negate {
		set = set[1:]
	}
	for i := 0; i < len(set); i++ {
		lo, hi := set[i], set[i]
		if i+2 < len(set) && set[i+1] == '-' {
			hi = set[i+2]
			i += 2
		}
		if lo <= c && c <= hi {
			return !negate
		}
	}
	return negate
}
