package boot

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Modules is the index of a kernel's modules, read from the text files that
// depmod writes (modules.dep, modules.alias, modules.softdep).
type Modules struct {
	deps    map[string]moduleFile
	aliases map[string][]alias // by bus: what stands before the first ':'
	soft    map[string]softdep
}

type moduleFile struct {
	path string
	deps []string // names, in the order they must be loaded
}

type alias struct{ literal, pattern, module string }

type softdep struct{ pre, post []string }

// ReadModules reads the index from the folder of one kernel release. A missing
// modules.alias or modules.softdep is an empty one.
func ReadModules(dir fs.FS) (*Modules, error) {
	m := &Modules{deps: map[string]moduleFile{}, aliases: map[string][]alias{}, soft: map[string]softdep{}}
	if err := eachLine(dir, "modules.dep", m.addDep); err != nil {
		return nil, fmt.Errorf("read the index of kernel modules: %w", err)
	}
	_ = eachLine(dir, "modules.alias", m.addAlias)
	_ = eachLine(dir, "modules.softdep", m.addSoftdep)
	return m, nil
}

func eachLine(dir fs.FS, name string, add func(string)) error {
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if line := strings.TrimSpace(sc.Text()); line != "" && line[0] != '#' {
			add(line)
		}
	}
	return sc.Err()
}

// addDep reads "kernel/a/b.ko: kernel/c.ko kernel/d.ko". depmod names the
// direct needs first and the deepest last, so loading goes from the end.
func (m *Modules) addDep(line string) {
	file, rest, ok := strings.Cut(line, ":")
	if !ok {
		return
	}
	needs := strings.Fields(rest)
	deps := make([]string, 0, len(needs))
	for i := len(needs) - 1; i >= 0; i-- {
		deps = append(deps, moduleName(needs[i]))
	}
	m.deps[moduleName(file)] = moduleFile{path: file, deps: deps}
}

// addAlias reads "alias pci:v00008086d00001000sv*sd*bc*sc*i* e1000".
func (m *Modules) addAlias(line string) {
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != "alias" {
		return
	}
	literal := f[1]
	if i := strings.IndexAny(literal, "*?[\\"); i >= 0 {
		literal = literal[:i]
	}
	bus, _, _ := strings.Cut(f[1], ":")
	m.aliases[bus] = append(m.aliases[bus], alias{literal, f[1], normal(f[2])})
}

// addSoftdep reads "softdep name pre: a b post: c".
func (m *Modules) addSoftdep(line string) {
	f := strings.Fields(line)
	if len(f) < 3 || f[0] != "softdep" {
		return
	}
	name := normal(f[1])
	s := m.soft[name]
	into := &s.pre
	for _, word := range f[2:] {
		switch word {
		case "pre:":
			into = &s.pre
		case "post:":
			into = &s.post
		default:
			*into = append(*into, normal(word))
		}
	}
	m.soft[name] = s
}

// Match names the modules that claim a modalias, each once.
func (m *Modules) Match(modalias string) []string {
	bus, _, _ := strings.Cut(modalias, ":")
	var names []string
	seen := map[string]bool{}
	for _, a := range m.aliases[bus] {
		if seen[a.module] || !strings.HasPrefix(modalias, a.literal) {
			continue
		}
		if ok, err := path.Match(a.pattern, modalias); err == nil && ok {
			seen[a.module] = true
			names = append(names, a.module)
		}
	}
	return names
}

// Plan lists the files to load for a name or alias, in order: soft needs, hard
// needs, the module, what follows it. Unknown names give nothing.
func (m *Modules) Plan(name string) []string {
	var files []string
	seen := map[string]bool{}
	names := []string{normal(name)}
	if _, ok := m.deps[names[0]]; !ok {
		names = m.Match(name)
	}
	for _, n := range names {
		m.plan(n, seen, &files)
	}
	return files
}

func (m *Modules) plan(name string, seen map[string]bool, files *[]string) {
	f, ok := m.deps[name]
	if !ok || seen[name] {
		return
	}
	seen[name] = true
	soft := m.soft[name]
	for _, group := range [][]string{soft.pre, f.deps} {
		for _, need := range group {
			m.plan(need, seen, files)
		}
	}
	*files = append(*files, f.path)
	for _, next := range soft.post {
		m.plan(next, seen, files)
	}
}

// Len is the number of modules in the index.
func (m *Modules) Len() int { return len(m.deps) }

func moduleName(file string) string {
	name := path.Base(file)
	if i := strings.Index(name, ".ko"); i >= 0 {
		name = name[:i]
	}
	return normal(name)
}

// normal is the kernel's own spelling: it takes '-' and '_' for the same.
func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }
