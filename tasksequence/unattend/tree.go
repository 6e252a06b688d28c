package unattend

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The namespaces of answer files.
const (
	spaceUnattend = "urn:schemas-microsoft-com:unattend"
	spaceConfig   = "http://schemas.microsoft.com/WMIConfig/2002/State"
	spaceInstance = "http://www.w3.org/2001/XMLSchema-instance"
	spaceXML      = "http://www.w3.org/XML/1998/namespace"
)

// node is a piece of the file. Its bytes are kept as they were written, so that what
// is not changed comes out as it went in.
type node struct {
	parent   *node
	raw      []byte // a text, a comment or an instruction; the start tag of an element
	text     string // of a text, without references
	isText   bool
	element  bool
	end      []byte // end tag; empty for <a/> and for the document itself
	prefix   string
	local    string
	space    string // namespace that the prefix stands for
	attrs    []xml.Attr
	children []*node
}

// parse reads a file into a document node. Document types are refused, and with them
// all entities but those of XML itself.
func parse(text []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	document := &node{}
	at, depth, elements, from := document, 0, 0, int64(0)
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the answer file is no XML that can be read: %w", err)
		}
		to := d.InputOffset()
		raw := text[from:to]
		from = to
		switch token := token.(type) {
		case xml.StartElement:
			elements++
			depth++
			if depth > MaxDepth || elements > MaxElements || len(token.Attr) > MaxAttributes {
				return nil, fmt.Errorf("%w: at most %d elements, %d deep, with %d attributes, are read", ErrTooLarge, MaxElements, MaxDepth, MaxAttributes)
			}
			child := &node{parent: at, raw: raw, element: true, prefix: token.Name.Space, local: token.Name.Local, attrs: token.Copy().Attr}
			at.children = append(at.children, child)
			if err := child.resolve(); err != nil {
				return nil, err
			}
			at = child
		case xml.EndElement:
			if at.parent == nil || token.Name.Space != at.prefix || token.Name.Local != at.local {
				return nil, fmt.Errorf("the answer file is no XML that can be read: </%s> does not end the element that is open", token.Name.Local)
			}
			at.end = raw
			at = at.parent
			depth--
		case xml.CharData:
			if at.parent == nil && strings.TrimSpace(string(token)) != "" {
				return nil, errors.New("the answer file is no XML that can be read: text stands outside its root element")
			}
			at.children = append(at.children, &node{parent: at, raw: raw, text: string(token), isText: true})
		case xml.Directive:
			return nil, errors.New("the answer file has a document type; remove it: Windows needs none, and entities are not read")
		case xml.ProcInst:
			if strings.EqualFold(token.Target, "xml") {
				return nil, errors.New("the answer file is no XML that can be read: an XML declaration stands where none may be")
			}
			at.children = append(at.children, &node{parent: at, raw: raw})
		default:
			at.children = append(at.children, &node{parent: at, raw: raw})
		}
	}
	if at.parent != nil {
		return nil, fmt.Errorf("the answer file is cut off: <%s> has no end", at.local)
	}
	return document, nil
}

// resolve finds the namespace of an element.
func (n *node) resolve() error {
	space, ok := n.lookup(n.prefix)
	if !ok && n.prefix != "" {
		return fmt.Errorf("the answer file is no XML that can be read: the prefix %q is not declared", n.prefix)
	}
	n.space = space
	for _, a := range n.attrs {
		if a.Name.Space == "" || a.Name.Space == "xmlns" {
			continue
		}
		if _, ok := n.lookup(a.Name.Space); !ok {
			return fmt.Errorf("the answer file is no XML that can be read: the prefix %q is not declared", a.Name.Space)
		}
	}
	return nil
}

// lookup returns the namespace that a prefix stands for in n.
func (n *node) lookup(prefix string) (space string, ok bool) {
	if prefix == "xml" {
		return spaceXML, true
	}
	for at := n; at != nil; at = at.parent {
		for _, a := range at.attrs {
			if prefix == "" && a.Name.Space == "" && a.Name.Local == "xmlns" || prefix != "" && a.Name.Space == "xmlns" && a.Name.Local == prefix {
				return a.Value, true
			}
		}
	}
	return "", false
}

// prefixFor returns a prefix that stands for a namespace in n.
func (n *node) prefixFor(space string) (prefix string, ok bool) {
	for at := n; at != nil; at = at.parent {
		for _, a := range at.attrs {
			if a.Name.Space != "xmlns" || a.Value != space {
				continue
			}
			if now, _ := n.lookup(a.Name.Local); now == space {
				return a.Name.Local, true
			}
		}
	}
	return "", false
}

func (n *node) is(local string) bool {
	return n.element && n.local == local && n.space == spaceUnattend
}

// elements are the elements of this name in n.
func (n *node) elements(local string) (found []*node) {
	for _, c := range n.children {
		if c.is(local) {
			found = append(found, c)
		}
	}
	return found
}

// first is the first element of this name in n, or nil.
func (n *node) first(local string) *node {
	for _, c := range n.children {
		if c.is(local) {
			return c
		}
	}
	return nil
}

// at follows a path of names; nil when there is no such element.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		n = n.first(name)
	}
	return n
}

// value is the text of an element without white space around it; empty for nil.
func (n *node) value() string {
	if n == nil {
		return ""
	}
	var out strings.Builder
	for _, c := range n.children {
		out.WriteString(c.text)
	}
	return strings.TrimSpace(out.String())
}

// attr returns an attribute without a namespace.
func (n *node) attr(local string) string {
	for _, a := range n.attrs {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// write appends the node as it stands.
func (n *node) write(out []byte) []byte {
	out = append(out, n.raw...)
	for _, c := range n.children {
		out = c.write(out)
	}
	return append(out, n.end...)
}
