package tasksequence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// MarshalJSON writes {"and":[...]}, {"or":[...]}, {"not":{...}} or
// {"variable":"Make","equals":"Dell"}.
func (c Condition) MarshalJSON() ([]byte, error) {
	switch {
	case c.And != nil:
		return json.Marshal(map[string][]Condition{"and": c.And})
	case c.Or != nil:
		return json.Marshal(map[string][]Condition{"or": c.Or})
	case c.Not != nil:
		return json.Marshal(map[string]*Condition{"not": c.Not})
	}
	if !slices.Contains(Operators(), c.Operator) {
		return nil, fmt.Errorf("condition over %q: unknown comparison %q", c.Variable, c.Operator)
	}
	name, err := json.Marshal(c.Variable)
	if err != nil {
		return nil, err
	}
	operand, err := c.marshalOperand()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"variable":%s,%q:%s}`, name, c.Operator, operand), nil
}

func (c Condition) marshalOperand() ([]byte, error) {
	if c.Operator == Exists && isBool(c.Operand.Text) {
		return []byte(c.Operand.Text), nil
	}
	return json.Marshal(c.Operand)
}

// UnmarshalJSON reads the forms that MarshalJSON writes. An unknown member is
// always an error: a condition understood by half would be worse than none.
func (c *Condition) UnmarshalJSON(b []byte) error {
	if depthOf(b) > 2*MaxConditionDepth+2 { // each level is an object, most also a list
		return fmt.Errorf("conditions may be nested %d deep at most", MaxConditionDepth)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil || members == nil {
		return errors.New(`a condition is an object such as {"variable": "Make", "equals": "Dell"}`)
	}
	*c = Condition{}
	for name, raw := range members {
		if err := c.read(name, raw); err != nil {
			return err
		}
	}
	if c.Variable != "" && c.Operator == "" {
		return fmt.Errorf("the condition over %q needs one comparison: %v", c.Variable, Operators())
	}
	if c.forms() != 1 || (c.Variable == "" && c.Operator != "") {
		return errors.New("a condition has exactly one of and, or, not and variable")
	}
	return nil
}

func (c *Condition) read(name string, raw json.RawMessage) error {
	switch name {
	case "and":
		return readMembers(raw, &c.And)
	case "or":
		return readMembers(raw, &c.Or)
	case "not":
		c.Not = new(Condition)
		if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
			return errors.New(`"not" needs a condition`)
		}
		return json.Unmarshal(raw, c.Not)
	case "variable":
		if err := json.Unmarshal(raw, &c.Variable); err != nil || c.Variable == "" {
			return errors.New(`"variable" needs the name of a variable`)
		}
		return nil
	}
	op := Operator(name)
	if !slices.Contains(Operators(), op) {
		return fmt.Errorf("unknown member %q in a condition; use variable with one of %v, or and, or, not", name, Operators())
	}
	if c.Operator != "" {
		return fmt.Errorf("a condition has one comparison, not both %s and %s; join two conditions with and", c.Operator, op)
	}
	c.Operator = op
	if err := json.Unmarshal(raw, &c.Operand); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

func readMembers(raw json.RawMessage, into *[]Condition) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return err
	}
	if *into == nil {
		*into = []Condition{}
	}
	return nil
}

// depthOf returns how deep objects and lists are nested in JSON text, so that
// hostile nesting is refused before anything recursive looks at it.
func depthOf(b []byte) int {
	depth, deepest, inText := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inText:
			if c == '\\' {
				i++
			} else if c == '"' {
				inText = false
			}
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

func isBool(text string) bool { return text == "true" || text == "false" }
