package deb

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// Paragraph is one block of deb822 fields; the keys are lower case. Continuation
// lines are joined by newlines.
type Paragraph map[string]string

// Get returns a field, whatever the case of its name.
func (p Paragraph) Get(name string) string { return p[strings.ToLower(name)] }

// ParseParagraphs reads deb822 text: the form of control files, Packages indexes
// and apt-cache's answers. Lines that are no field are an error.
func ParseParagraphs(r io.Reader) ([]Paragraph, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), 4<<20)
	var all []Paragraph
	var p Paragraph
	var last string
	for s.Scan() {
		line := strings.TrimRight(s.Text(), " \t\r")
		switch {
		case line == "":
			if p != nil {
				all = append(all, p)
			}
			p, last = nil, ""
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, errors.New("control data: continuation without a field")
			}
			p[last] += "\n" + strings.TrimSpace(line)
		case line[0] == '#':
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" {
				return nil, errors.New("control data: line without a field name")
			}
			if p == nil {
				p = Paragraph{}
			}
			last = strings.ToLower(name)
			p[last] = strings.TrimSpace(value)
		}
	}
	if p != nil {
		all = append(all, p)
	}
	return all, s.Err()
}

// Dependency is one alternative of a Depends field.
type Dependency struct {
	Name     string
	Relation string // "", =, >=, <=, <<, >>
	Version  string
}

// ParseDepends splits a Depends field (Debian Policy 7.1) into clauses of
// alternatives. Architecture restrictions are dropped.
func ParseDepends(field string) [][]Dependency {
	var out [][]Dependency
	for clause := range strings.SplitSeq(field, ",") {
		var alts []Dependency
		for alt := range strings.SplitSeq(clause, "|") {
			if d := parseDependency(alt); d.Name != "" {
				alts = append(alts, d)
			}
		}
		if len(alts) > 0 {
			out = append(out, alts)
		}
	}
	return out
}

func parseDependency(s string) Dependency {
	name, rest, _ := strings.Cut(strings.TrimSpace(s), "(")
	name, _, _ = strings.Cut(name, "[")
	name, _, _ = strings.Cut(name, ":")
	d := Dependency{Name: strings.TrimSpace(name)}
	rest, _, _ = strings.Cut(rest, ")")
	rest = strings.TrimSpace(rest)
	v := strings.TrimLeft(rest, "<>=")
	d.Relation = rest[:len(rest)-len(v)]
	d.Version = strings.TrimSpace(v)
	return d
}
