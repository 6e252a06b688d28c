package kmod

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Index finds modules by name and by alias.
type Index struct {
	modules map[string]*Module
	literal map[string][]*Module // aliases without wildcards
	builtin map[string]bool
}

// NewIndex builds an index. builtin is the content of modules.builtin: paths of
// what is compiled into the kernel.
func NewIndex(modules []*Module, builtin string) *Index {
	x := &Index{modules: map[string]*Module{}, literal: map[string][]*Module{}, builtin: map[string]bool{}}
	sorted := slices.Clone(modules)
	slices.SortFunc(sorted, byPath)
	for _, m := range sorted {
		x.modules[m.Name] = m
		for _, a := range m.Aliases {
			if !strings.ContainsAny(a, "*?[") {
				x.literal[Normal(a)] = append(x.literal[Normal(a)], m)
			}
		}
	}
	for line := range strings.Lines(builtin) {
		if line = strings.TrimSpace(line); line != "" {
			x.builtin[Name(line)] = true
		}
	}
	return x
}

func byPath(a, b *Module) int { return cmp.Compare(a.Path, b.Path) }

// Get returns a module by name.
func (x *Index) Get(name string) (*Module, bool) {
	m, ok := x.modules[Normal(name)]
	return m, ok
}

// Builtin reports whether the kernel has the module compiled in.
func (x *Index) Builtin(name string) bool { return x.builtin[Normal(name)] }

// Closure returns the named modules with all they need, hard and soft, ordered by
// path. Names that are neither a module nor built in are returned as missing. A
// hard dependency that cannot be met is an error: the module would not load.
func (x *Index) Closure(names []string) (set []*Module, missing []string, err error) {
	seen := map[*Module]bool{}
	var add func(m *Module) error
	add = func(m *Module) error {
		if seen[m] {
			return nil
		}
		seen[m] = true
		for _, d := range m.Depends {
			dep, ok := x.Get(d)
			if !ok && !x.Builtin(d) {
				return fmt.Errorf("module %s needs %s, which the package does not hold or the recipe leaves out", m.Name, d)
			}
			if ok {
				if err := add(dep); err != nil {
					return err
				}
			}
		}
		for _, s := range m.Soft {
			for _, n := range slices.Concat(s.Pre, s.Post) {
				for _, dep := range x.resolve(n) {
					if err := add(dep); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	for _, n := range names {
		m, ok := x.Get(n)
		if !ok {
			if !x.Builtin(n) {
				missing = append(missing, n)
			}
			continue
		}
		if err := add(m); err != nil {
			return nil, nil, err
		}
	}
	for m := range seen {
		set = append(set, m)
	}
	slices.SortFunc(set, byPath)
	return set, missing, nil
}

// resolve finds what a soft dependency names: a module, or all with that alias.
func (x *Index) resolve(name string) []*Module {
	if m, ok := x.Get(name); ok {
		return []*Module{m}
	}
	return x.literal[Normal(name)]
}

// LoadOrder lists what m needs, directly and indirectly, so that each comes
// before what it needs itself: modules.dep's order, to be loaded from the end.
func (x *Index) LoadOrder(m *Module) []*Module {
	var post []*Module
	seen := map[*Module]bool{m: true}
	var visit func(m *Module)
	visit = func(m *Module) {
		for _, d := range m.Depends {
			if dep, ok := x.Get(d); ok && !seen[dep] {
				seen[dep] = true
				visit(dep)
				post = append(post, dep)
			}
		}
	}
	visit(m)
	slices.Reverse(post)
	return post
}
