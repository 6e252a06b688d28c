package mdt

import (
	"fmt"
	"strings"
)

// iniFile is CustomSettings.ini or Bootstrap.ini, by lines.
type iniFile struct {
	file     string
	sections []*iniSection
	loose    []*iniKey // comments and lines that are neither a section nor a key
}

type iniSection struct {
	name string
	line int
	keys []*iniKey
	mark mark
}

type iniKey struct {
	name, value string
	line        int
	mark        mark
}

// parseINI reads a file as MDT does: names in any case, the first section of a name
// and the first key in it count, ; begins a comment line.
func parseINI(file string, data []byte) (*iniFile, error) {
	text, err := decode(data)
	if err != nil {
		return nil, err
	}
	f := &iniFile{file: file}
	var at *iniSection
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		switch name, value, isKey := strings.Cut(line, "="); {
		case line == "":
		case line[0] == ';':
			f.loose = append(f.loose, &iniKey{line: number, mark: mark{outcome: Left, detail: "a comment"}})
		case line[0] == '[' && strings.Contains(line, "]"):
			at = &iniSection{name: strings.TrimSpace(line[1:strings.Index(line, "]")]), line: number}
			if f.section(at.name) != nil {
				at.mark = mark{outcome: Left, detail: "MDT reads only the first section of this name", deep: true}
			}
			f.sections = append(f.sections, at)
		case !isKey || at == nil:
			f.loose = append(f.loose, &iniKey{line: number, mark: mark{outcome: Left, detail: "it is neither a section nor a key in one; MDT does not read it either"}})
		default:
			key := &iniKey{name: strings.TrimSpace(name), value: strings.TrimSpace(value), line: number}
			if at.key(key.name) != nil {
				key.mark = mark{outcome: Left, detail: "MDT reads only the first key of this name"}
			}
			at.keys = append(at.keys, key)
		}
	}
	return f, nil
}

func (f *iniFile) section(name string) *iniSection {
	for _, s := range f.sections {
		if strings.EqualFold(s.name, name) {
			return s
		}
	}
	return nil
}

func (s *iniSection) key(name string) *iniKey {
	if s == nil {
		return nil
	}
	for _, k := range s.keys {
		if strings.EqualFold(k.name, name) {
			return k
		}
	}
	return nil
}

func (s *iniSection) take(name string, outcome Outcome, detail string) string {
	k := s.key(name)
	if k == nil {
		return ""
	}
	k.set(outcome, detail)
	return k.value
}

// set marks a key that has no mark yet, or only a lesser one: what is used once is used.
func (k *iniKey) set(outcome Outcome, detail string) {
	if k.mark.outcome == "" || k.mark.outcome == Left {
		k.mark = mark{outcome: outcome, detail: detail}
	}
}

func (f *iniFile) report(add func(Line)) {
	for _, s := range f.sections {
		m := s.mark
		if m.outcome == "" {
			m = mark{outcome: Left, detail: "no entry of Priority leads here"}
		}
		add(Line{File: f.file, Line: s.line, Where: "[" + s.name + "]", Outcome: m.outcome, Detail: m.detail})
		for _, k := range s.keys {
			own := k.mark
			if own.outcome == "" {
				own = mark{outcome: Left, detail: unknown}
				if m.deep || s.mark.outcome == "" {
					own = m
				}
			}
			add(Line{File: f.file, Line: k.line, Where: fmt.Sprintf("[%s] %s", s.name, k.name), Value: k.value, Outcome: own.outcome, Detail: own.detail})
		}
	}
	for _, l := range f.loose {
		add(Line{File: f.file, Line: l.line, Outcome: l.mark.outcome, Detail: l.mark.detail})
	}
}
