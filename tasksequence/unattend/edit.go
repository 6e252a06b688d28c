package unattend

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// escape writes text as an XML encoder does.
func escape(text string) []byte {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes all
	return b.Bytes()
}

// startTag writes a start tag as an XML encoder does; names carry their prefixes.
func startTag(name string, attrs []xml.Attr) []byte {
	var b bytes.Buffer
	b.WriteString("<" + name)
	for _, a := range attrs {
		local := a.Name.Local
		if a.Name.Space != "" {
			local = a.Name.Space + ":" + local
		}
		b.WriteString(" " + local + `="`)
		b.Write(escape(a.Value))
		b.WriteByte('"')
	}
	b.WriteByte('>')
	return b.Bytes()
}

func attribute(prefix, local, value string) xml.Attr {
	return xml.Attr{Name: xml.Name{Space: prefix, Local: local}, Value: value}
}

func joined(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

// open makes room for children in <a/>.
func (n *node) open() {
	if len(n.end) > 0 || !n.element {
		return
	}
	n.raw = append(bytes.TrimRight(bytes.TrimSuffix(bytes.Clone(n.raw), []byte("/>")), " \t\r\n"), '>')
	n.end = []byte("</" + joined(n.prefix, n.local) + ">")
}

// append adds an element behind the others of n, on a line of its own. It takes over
// the prefix under which n has the namespace of answer files.
func (n *node) append(local string, attrs ...xml.Attr) *node {
	n.open()
	prefix := n.prefix
	if n.space != spaceUnattend {
		prefix = ""
	}
	child := &node{element: true, prefix: prefix, local: local, space: spaceUnattend, attrs: attrs}
	name := joined(prefix, local)
	child.raw, child.end = startTag(name, attrs), []byte("</"+name+">")
	n.insert(child)
	return child
}

// insert puts a child behind the last one, before the white space in front of the end
// tag, and indents it as its siblings are.
func (n *node) insert(child *node) {
	child.parent = n
	indent, closing := n.indents()
	before := &node{parent: n, raw: []byte(indent), text: indent, isText: true}
	last := len(n.children)
	if last > 0 && n.children[last-1].isText && strings.TrimSpace(n.children[last-1].text) == "" {
		last--
		tail := n.children[last]
		n.children = append(n.children[:last:last], before, child, tail)
		return
	}
	after := &node{parent: n, raw: []byte(closing), text: closing, isText: true}
	n.children = append(n.children, before, child, after)
}

// indents are the white space in front of a child of n, and in front of its end tag.
func (n *node) indents() (child, closing string) {
	if own := n.leading(); own != "" {
		closing = own
	} else {
		closing = n.newline()
	}
	for _, c := range n.children {
		if c.element {
			if white := c.leading(); white != "" {
				return white, closing
			}
			break
		}
	}
	return closing + n.unit(), closing
}

// leading is the last line of white space in front of an element, with its line end.
func (n *node) leading() string {
	if n.parent == nil {
		return ""
	}
	white := ""
	for _, c := range n.parent.children {
		if c == n {
			break
		}
		white = ""
		if c.isText {
			white = string(c.raw)
		}
	}
	i := strings.LastIndexByte(white, '\n')
	if i < 0 || strings.TrimSpace(white[i:]) != "" {
		return ""
	}
	if i > 0 && white[i-1] == '\r' {
		i--
	}
	return white[i:]
}

func (n *node) root() *node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

// newline is the line end of the file.
func (n *node) newline() string {
	for _, c := range n.root().descend(nil) {
		if c.isText && bytes.Contains(c.raw, []byte("\n")) {
			if bytes.Contains(c.raw, []byte("\r\n")) {
				return "\r\n"
			}
			break
		}
	}
	return "\n"
}

// unit is what the file indents by, as its first elements show.
func (n *node) unit() string {
	all := n.root().descend(nil)
	for _, c := range all[:min(len(all), 200)] {
		if !c.element || c.parent.parent == nil {
			continue
		}
		inner, outer := strings.TrimLeft(c.leading(), "\r\n"), strings.TrimLeft(c.parent.leading(), "\r\n")
		if rest, ok := strings.CutPrefix(inner, outer); ok && rest != "" {
			return rest
		}
	}
	return "    "
}

// descend lists n and all below it, in the order of the file.
func (n *node) descend(list []*node) []*node {
	list = append(list, n)
	for _, c := range n.children {
		list = c.descend(list)
	}
	return list
}

// setText gives an element a text; comments in it stay.
func (n *node) setText(text string) {
	n.open()
	kept := n.children[:0:0]
	for _, c := range n.children {
		if !c.isText {
			kept = append(kept, c)
		}
	}
	fresh := &node{parent: n, raw: escape(text), text: text, isText: true}
	n.children = append([]*node{fresh}, kept...)
}
