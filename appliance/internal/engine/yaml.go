package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/tasksequence"
)

// fromYAML turns a YAML document into JSON without changing what is in it: the
// order and repetition of members stay, so that they are judged as in JSON. Numbers
// that JSON would write differently (007, 0x1F, 1_000) become texts as written.
func fromYAML(text []byte) ([]byte, error) {
	if len(text) > tasksequence.MaxSequenceBytes {
		return nil, fmt.Errorf("the text is %d bytes long; at most %d are allowed", len(text), tasksequence.MaxSequenceBytes)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, errors.New("the text is empty")
	} else if err != nil {
		return nil, fmt.Errorf("the text is neither valid JSON nor valid YAML: %w", err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("the text holds more than one YAML document; keep one task sequence in a file")
	}
	c := converter{}
	if err := c.node(&doc, 0); err != nil {
		return nil, err
	}
	return c.out.Bytes(), nil
}

// converter writes YAML nodes as JSON.
type converter struct{ out bytes.Buffer }

// maxYAMLDepth stands above what a document may need, so that the language's own
// message about depth is the one that is seen.
const maxYAMLDepth = 200

func (c *converter) node(n *yaml.Node, depth int) error {
	if depth > maxYAMLDepth {
		return fmt.Errorf("line %d: the text is nested too deep", n.Line)
	}
	if c.out.Len() > tasksequence.MaxSequenceBytes {
		return fmt.Errorf("the text is too long once its parts are put in place; at most %d bytes are allowed", tasksequence.MaxSequenceBytes)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return c.node(n.Content[0], depth+1)
	case yaml.AliasNode:
		return fmt.Errorf("line %d: anchors and aliases are not taken in task sequences; write the part out", n.Line)
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		return c.list(n, depth)
	}
	return c.scalar(n)
}

func (c *converter) mapping(n *yaml.Node, depth int) error {
	c.out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i > 0 {
			c.out.WriteByte(',')
		}
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return fmt.Errorf("line %d: the name of a member is a plain text", key.Line)
		}
		if err := c.text(key.Value); err != nil {
			return err
		}
		c.out.WriteByte(':')
		if err := c.node(n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	c.out.WriteByte('}')
	return nil
}

func (c *converter) list(n *yaml.Node, depth int) error {
	c.out.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			c.out.WriteByte(',')
		}
		if err := c.node(item, depth+1); err != nil {
			return err
		}
	}
	c.out.WriteByte(']')
	return nil
}

func (c *converter) scalar(n *yaml.Node) error {
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		c.out.WriteString("null")
		return nil
	case tag == "!!bool":
		c.out.WriteString(strings.ToLower(n.Value))
		return nil
	case (tag == "!!int" || tag == "!!float") && json.Valid([]byte(n.Value)):
		c.out.WriteString(n.Value)
		return nil
	}
	return c.text(n.Value)
}

func (c *converter) text(s string) error {
	encoded, err := json.Marshal(s)
	c.out.Write(encoded)
	return err
}

// toYAML writes a JSON document as YAML, members in the same order.
func toYAML(text []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil { // JSON is YAML
		return nil, fmt.Errorf("write the task sequence as YAML: %w", err)
	}
	plainStyle(&doc)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return nil, fmt.Errorf("write the task sequence as YAML: %w", err)
	}
	return out.Bytes(), nil
}

// plainStyle drops JSON's braces and quotes. Texts that YAML would read as
// something else keep their quotes: the encoder sees to that by their tag.
func plainStyle(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		n.Tag = "!!str"
	}
	n.Style = 0
	for _, inner := range n.Content {
		plainStyle(inner)
	}
}
