package edit

import (
	"encoding/json"
	"slices"
	"strings"

	"slipway/tasksequence"
)

// The ways in which the form writes a condition.
const (
	Always = ""
	AllOf  = "all"
	AnyOf  = "any"
	Text   = "text" // JSON: anything that is nested
)

// Comparison is one row of the form.
type Comparison struct{ Variable, Operator, Operand string }

// Rows is how the form shows a condition: rows joined one way, or its JSON text.
func Rows(c *tasksequence.Condition) (mode string, rows []Comparison, text string) {
	if c == nil {
		return Always, nil, ""
	}
	if pretty, err := json.MarshalIndent(c, "", "  "); err == nil {
		text = string(pretty)
	}
	mode = AllOf
	list := []tasksequence.Condition{*c}
	switch {
	case c.And != nil:
		list = c.And
	case c.Or != nil:
		mode, list = AnyOf, c.Or
	}
	for i := range list {
		x := &list[i]
		if x.And != nil || x.Or != nil || x.Not != nil || slices.ContainsFunc(x.Operand.List, func(s string) bool { return strings.Contains(s, ",") }) {
			return Text, nil, text
		}
		operand := x.Operand.Text
		if x.Operand.IsList() {
			operand = strings.Join(x.Operand.List, ", ")
		}
		rows = append(rows, Comparison{x.Variable, string(x.Operator), operand})
	}
	return mode, rows, text
}

// ModeKey is under which a draft keeps how a condition is to be written that has no
// comparison yet.
func ModeKey(node string) string { return Key(node, FieldCondition) + ":mode" }

func applyCondition(n *tasksequence.Node, f Form, typed map[string]string) {
	if !f.Has(FieldCondition) {
		return
	}
	mode := f.Get(FieldCondition)
	key := Key(n.ID, FieldCondition)
	delete(typed, key)
	delete(typed, ModeKey(n.ID))
	switch mode {
	case AllOf, AnyOf:
		if n.Condition = joined(readRows(f), mode); n.Condition == nil {
			typed[ModeKey(n.ID)] = mode // more rows are to come
		}
	case Text:
		if !f.Has("conditionText") { // the rows become text
			typed[ModeKey(n.ID)] = mode
			n.Condition = joined(readRows(f), AllOf)
			return
		}
		value := strings.TrimSpace(text(f.Get("conditionText")))
		if value == "" {
			n.Condition, typed[ModeKey(n.ID)] = nil, mode
			return
		}
		var c tasksequence.Condition
		if err := json.Unmarshal([]byte(value), &c); err != nil {
			typed[key] = value
			return
		}
		n.Condition = &c
	default:
		n.Condition = nil
	}
}

func joined(list []tasksequence.Condition, mode string) *tasksequence.Condition {
	switch {
	case len(list) == 0:
		return nil
	case mode == AnyOf:
		return &tasksequence.Condition{Or: list}
	case len(list) == 1:
		return &list[0]
	}
	return &tasksequence.Condition{And: list}
}

func readRows(f Form) (list []tasksequence.Condition) {
	names, operators, operands := f.All("condVariable"), f.All("condOperator"), f.All("condOperand")
	for i, name := range names {
		name = line(name)
		if name == "" || i >= len(operators) || i >= len(operands) || !slices.Contains(tasksequence.Operators(), tasksequence.Operator(operators[i])) {
			continue
		}
		c := tasksequence.Condition{Variable: name, Operator: tasksequence.Operator(operators[i])}
		operand := line(operands[i])
		switch c.Operator {
		case tasksequence.In:
			c.Operand.List = []string{}
			for _, item := range strings.Split(operand, ",") {
				if item = strings.TrimSpace(item); item != "" {
					c.Operand.List = append(c.Operand.List, item)
				}
			}
		case tasksequence.Exists:
			c.Operand.Text = "true"
			if strings.EqualFold(operand, "false") || strings.EqualFold(operand, "no") {
				c.Operand.Text = "false"
			}
		default:
			c.Operand.Text = operand
		}
		list = append(list, c)
	}
	return list
}

// ConditionError is why a typed condition cannot be read; empty when it can.
func ConditionError(text string) string {
	var c tasksequence.Condition
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err.Error()
	}
	return ""
}
