package catalogue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Drivers are a device's make and model, and the Windows that its drivers are for.
type Drivers struct {
	Make, MakeAlias, Model, ModelAlias, SystemAlias string
	OS, Version, Architecture                       string // of Windows; Version may be empty
}

// System says which operating system is wanted; what is empty does not matter.
type System struct{ OS, Version, Edition, Architecture, LanguageCode string }

// FindDrivers finds the newest driver pack of a model, by the rules by which packs in the
// library are found: maker and model by their aliases, by their full names, then the
// maker with the alias of the system board. A pack for the version of Windows comes
// first, then the one for the newest version before it, then the one that names none.
func FindDrivers(all []Catalogue, q Drivers) (Entry, bool) {
	for _, rule := range [][2]string{{q.MakeAlias, q.ModelAlias}, {q.Make, q.Model}, {q.Make, q.SystemAlias}, {q.MakeAlias, q.SystemAlias}} {
		var found []Entry
		for e := range entries(all, KindDriverPack) {
			if same(e.Manufacturer, rule[0]) && slices.ContainsFunc(e.Models, func(m string) bool { return same(m, rule[1]) }) &&
				same(e.OS, q.OS) && (e.Architecture == "" || same(e.Architecture, q.Architecture)) {
				found = append(found, e)
			}
		}
		if len(found) > 0 {
			return slices.MaxFunc(found, func(a, b Entry) int {
				return cmp.Or(cmp.Compare(nearness(a.Version, q.Version), nearness(b.Version, q.Version)), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Released, b.Released), cmp.Compare(a.Name, b.Name))
			}), true
		}
	}
	return Entry{}, false
}

// nearness says how well a pack's version of Windows fits the wanted one. Versions like
// 22H2 sort by their letters, and 1909 comes before 2004 and 20H2.
func nearness(have, want string) int {
	switch {
	case want == "" || same(have, want):
		return 3
	case have == "":
		return 1
	case strings.ToUpper(have) < strings.ToUpper(want):
		return 2
	}
	return 0
}

// FindSystem finds an image of an operating system; the error says how far the wish was
// met and what there is.
func FindSystem(all []Catalogue, q System) (Entry, error) {
	var left []Entry
	for e := range entries(all, KindOperatingSystem) {
		left = append(left, e)
	}
	if len(left) == 0 {
		return Entry{}, fmt.Errorf("%w: no catalogue of operating systems has been imported (slipway catalogue import microsoft)", ErrNotThere)
	}
	for _, wish := range []struct {
		what, want string
		of         func(Entry) string
	}{
		{"operating system", q.OS, func(e Entry) string { return e.OS }},
		{"architecture", q.Architecture, func(e Entry) string { return e.Architecture }},
		{"version", q.Version, func(e Entry) string { return e.Version }},
		{"language", q.LanguageCode, func(e Entry) string { return e.LanguageCode }},
		{"edition", q.Edition, func(e Entry) string { return e.Edition }},
	} {
		if wish.want == "" {
			continue
		}
		var fits []Entry
		var others []string
		for _, e := range left {
			if same(wish.of(e), wish.want) || wish.what == "edition" && same(e.Image, q.OS+" "+wish.want) {
				fits = append(fits, e)
			} else {
				others = append(others, wish.of(e))
			}
		}
		if len(fits) == 0 {
			slices.Sort(others)
			others = slices.Compact(others)
			return Entry{}, fmt.Errorf("%w: the catalogues have no %s %q; there is: %s", ErrNotThere, wish.what, wish.want, strings.Join(others[:min(len(others), 20)], ", "))
		}
		left = fits
	}
	return slices.MaxFunc(left, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.OS, b.OS), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Released, b.Released), cmp.Compare(a.Name, b.Name))
	}), nil
}

func entries(all []Catalogue, kind string) func(yield func(Entry) bool) {
	return func(yield func(Entry) bool) {
		for _, c := range all {
			for _, e := range c.Entries {
				if e.Kind == kind && !yield(e) {
					return
				}
			}
		}
	}
}

func same(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	return a != "" && strings.EqualFold(a, b)
}
