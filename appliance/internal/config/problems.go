package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// onOneLine is an error that has several problems, said on one line.
type onOneLine struct{ error }

func (e onOneLine) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "; ") }
func (e onOneLine) Unwrap() error { return e.error }

// problems are those of a document that is YAML, in the order of its lines. The YAML
// library's own words name Go's types, and not the key.
type problems []error

func (p *problems) add(n *yaml.Node, key, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if key != "" {
		text = key + ": " + text
	}
	*p = append(*p, fmt.Errorf("line %d: %s", n.Line, text))
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return onOneLine{errors.Join(p...)}
}

// look compares what stands under a key with the type it is read into. What is not
// given (null) keeps its default.
func (p *problems) look(n *yaml.Node, key string, t reflect.Type) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch kind := t.Kind(); {
	case n.ShortTag() == "!!null":
	case kind == reflect.Struct:
		p.section(n, key, t)
	case kind == reflect.Map:
		p.table(n, key, t)
	case kind == reflect.Slice:
		p.list(n, key, t)
	default:
		p.value(n, key, t)
	}
}

func (p *problems) section(n *yaml.Node, key string, t reflect.Type) {
	fields, names := map[string]reflect.Type{}, []string{}
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		if name == "-" {
			continue
		}
		fields[name], names = t.Field(i).Type, append(names, name)
	}
	if n.Kind != yaml.MappingNode {
		p.add(n, key, "is a section with keys of its own (%s), not %s", strings.Join(names, ", "), shown(n))
		return
	}
	p.pairs(n, key, func(name, value *yaml.Node) {
		if field, ok := fields[name.Value]; ok {
			p.look(value, under(key, name.Value), field)
			return
		}
		p.add(name, "", "unknown key %q", under(key, name.Value))
	})
}

// table is a section whose keys are the user's.
func (p *problems) table(n *yaml.Node, key string, t reflect.Type) {
	if n.Kind != yaml.MappingNode {
		p.add(n, key, "is a section of lines \"name: value\", not %s", shown(n))
		return
	}
	p.pairs(n, key, func(name, value *yaml.Node) { p.look(value, under(key, name.Value), t.Elem()) })
}

// pairs goes through a section. What is merged into it ("<<") stands elsewhere, too.
func (p *problems) pairs(n *yaml.Node, key string, each func(name, value *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		line, twice := first[name.Value]
		switch {
		case name.Kind != yaml.ScalarNode:
			p.add(name, key, "%s cannot be a key", shown(name))
		case twice:
			p.add(name, under(key, name.Value), "is there twice, the first time in line %d", line)
		case name.ShortTag() != "!!merge":
			first[name.Value] = name.Line
			each(name, value)
		}
	}
}

func (p *problems) list(n *yaml.Node, key string, t reflect.Type) {
	sections := t.Elem().Kind() == reflect.Struct
	switch {
	case n.Kind == yaml.SequenceNode:
		for i, entry := range n.Content {
			if sections {
				p.look(entry, key, t.Elem())
			} else {
				p.look(entry, fmt.Sprintf("%s: entry %d", key, i+1), t.Elem())
			}
		}
	case sections:
		p.add(n, key, "is a list of sections, each of which begins with \"- \", not %s", shown(n))
	case n.Kind == yaml.ScalarNode:
		entries := strings.FieldsFunc(cut(n.Value), func(r rune) bool { return r <= ' ' || r == ',' })
		p.add(n, key, "is a list, e.g. [%s]", strings.Join(entries, ", "))
	default:
		p.add(n, key, "is a list, not %s", shown(n))
	}
}

func (p *problems) value(n *yaml.Node, key string, t reflect.Type) {
	if n.Kind != yaml.ScalarNode {
		p.add(n, key, "is one value, not %s", shown(n))
		return
	}
	err := n.Decode(reflect.New(t).Interface()) // the library's rules, our words
	var fraction float64
	switch {
	case t.Kind() == reflect.Int && n.ShortTag() == "!!float" && n.Decode(&fraction) == nil && fraction != math.Trunc(fraction):
		p.add(n, key, "%s is not a whole number", shown(n)) // the library would cut it
	case err == nil:
	case t == reflect.TypeFor[time.Duration]():
		p.add(n, key, "%s is not a time such as 90s or 2m", shown(n))
	case t.Kind() == reflect.Int && isNumber(n.Value):
		p.add(n, key, "%s is text: write it without quotes", shown(n))
	case t.Kind() == reflect.Int:
		p.add(n, key, "%s is not a number", shown(n))
	case t.Kind() == reflect.Bool:
		p.add(n, key, "%s is neither true nor false", shown(n))
	default:
		p.add(n, key, "%s cannot be read", shown(n))
	}
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

func under(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// shown is what stands in the file, for people.
func shown(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a section"
	}
	return strconv.Quote(cut(n.Value))
}

func cut(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return text
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// readable turns the YAML library's words into ours, as far as look has none.
func readable(err error) error {
	var te *yaml.TypeError
	if errors.As(err, &te) {
		return onOneLine{errors.New(strings.Join(te.Errors, "\n"))}
	}
	m := syntaxError.FindStringSubmatch(onOneLine{err}.Error())
	switch {
	case m == nil:
		return err
	case m[1] == "":
		return fmt.Errorf("is not YAML: %s", m[2])
	}
	return fmt.Errorf("line %s: is not YAML: %s", m[1], m[2])
}
