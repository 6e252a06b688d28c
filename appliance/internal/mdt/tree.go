package mdt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of the XML files of a share.
const (
	maxDepth    = 100
	maxElements = 2_000_000
)

// element is an element of an XML file, with what became of it.
type element struct {
	name     string
	attrs    []*attribute
	text     string // without white space around it
	read     []byte // of the text, while it is read
	children []*element
	parent   *element
	path     string // e.g. /oss/os[2]/Name
	line     int
	mark     mark
}

type attribute struct {
	name, value string
	mark        mark
}

// mark says what became of something. deep marks hold for all below that has none.
type mark struct {
	outcome Outcome
	detail  string
	deep    bool
}

// parseXML reads a file into a tree. Document types, and with them entities, are refused.
func parseXML(data []byte) (*element, error) {
	text, err := decode(data)
	if err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = asUTF8
	var root, at *element
	depth, count := 0, 0
	counts := []map[string]int{{}}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, errors.New("it has a document type; such files are not read")
		case xml.CharData:
			if at != nil {
				at.read = append(at.read, token...)
			}
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return nil, fmt.Errorf("its elements are nested more than %d deep", maxDepth)
			}
			if count++; count > maxElements {
				return nil, fmt.Errorf("it has more than %d elements", maxElements)
			}
			e := &element{name: token.Name.Local, parent: at}
			e.line, _ = d.InputPos()
			for _, a := range token.Attr {
				e.attrs = append(e.attrs, &attribute{name: a.Name.Local, value: a.Value})
			}
			of := counts[len(counts)-1]
			of[e.name]++
			e.path = "/" + e.name
			if at != nil {
				e.path = at.path + e.path
				at.children = append(at.children, e)
			} else if root != nil {
				return nil, errors.New("it has two root elements")
			} else {
				root = e
			}
			if of[e.name] > 1 {
				e.path += fmt.Sprintf("[%d]", of[e.name])
			}
			at = e
			counts = append(counts, map[string]int{})
		case xml.EndElement:
			at.text, at.read = string(bytes.TrimSpace(at.read)), nil
			at = at.parent
			depth--
			counts = counts[:len(counts)-1]
		}
	}
	if root == nil {
		return nil, errors.New("it holds no element")
	}
	return root, nil
}

// first returns the first child of this name, or nil.
func (e *element) first(name string) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

func (e *element) all(name string) (found []*element) {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if strings.EqualFold(c.name, name) {
			found = append(found, c)
		}
	}
	return found
}

// value is the text of the first child of this name.
func (e *element) value(name string) string {
	if c := e.first(name); c != nil {
		return c.text
	}
	return ""
}

// take is value, and marks the child.
func (e *element) take(name string, outcome Outcome, detail string) string {
	c := e.first(name)
	if c == nil {
		return ""
	}
	c.set(outcome, detail)
	return c.text
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if strings.EqualFold(a.name, name) {
			return a.value
		}
	}
	return ""
}

// takeAttr is attr, and marks the attribute.
func (e *element) takeAttr(name string, outcome Outcome, detail string) string {
	for _, a := range e.attrs {
		if strings.EqualFold(a.name, name) {
			a.mark = mark{outcome: outcome, detail: detail}
			return a.value
		}
	}
	return ""
}

func (e *element) set(outcome Outcome, detail string) {
	if e != nil {
		e.mark = mark{outcome: outcome, detail: detail}
	}
}

// deep marks the element and all below it that has no mark of its own.
func (e *element) deep(outcome Outcome, detail string) {
	if e != nil {
		e.mark = mark{outcome: outcome, detail: detail, deep: true}
	}
}
