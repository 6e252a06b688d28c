package tasksequence

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Operator compares a variable with an operand.
type Operator string

// The operators. Texts are compared without regard to case. A variable that does
// not exist compares as an empty text. For a list, the comparison holds when it
// holds for one of its items; notEquals is the opposite of equals.
const (
	Equals    Operator = "equals"
	NotEquals Operator = "notEquals"
	Contains  Operator = "contains" // a text contains the operand; a list has it as an item
	Matches   Operator = "matches"  // regular expression (RE2), found anywhere unless anchored
	Less      Operator = "less"     // numbers, or versions such as 10.0.22631
	Greater   Operator = "greater"
	Exists    Operator = "exists" // operand true or false
	In        Operator = "in"     // operand is a list
)

// Operators returns all operators.
func Operators() []Operator {
	return []Operator{Equals, NotEquals, Contains, Matches, Less, Greater, Exists, In}
}

// Limits of a condition.
const (
	MaxConditionDepth = 16
	MaxConditionNodes = 500
	maxPattern        = 1000
)

// Condition is a tree of and / or / not over comparisons of variables. Exactly
// one of And, Or, Not and Variable is set. In JSON:
//
//	{"and": [{"variable": "Make", "equals": "Dell Inc."}, {"not": {"variable": "IsVM", "equals": "true"}}]}
//
// %NAME% in operands is replaced, except for matches.
type Condition struct {
	And      []Condition
	Or       []Condition
	Not      *Condition
	Variable string
	Operator Operator
	Operand  Value
}

// Outcome is what a condition came to, with the comparison that decided it.
type Outcome struct {
	Met    bool
	Reason string // e.g. `Make equals "Dell" is not met: Make is "QEMU"`
}

// Evaluate says whether the condition is met. It never fails: a comparison that
// cannot be made, such as less with a text, is not met and says so.
func (c *Condition) Evaluate(vars *Variables) Outcome {
	switch {
	case c == nil:
		return Outcome{Met: true}
	case c.And != nil:
		return evaluateAll(c.And, vars, true)
	case c.Or != nil:
		return evaluateAll(c.Or, vars, false)
	case c.Not != nil:
		inner := c.Not.Evaluate(vars)
		return Outcome{Met: !inner.Met, Reason: "not: " + inner.Reason}
	}
	return c.compare(vars)
}

// evaluateAll stops at the first member whose outcome is not want: the one that
// makes an "and" fail or an "or" hold.
func evaluateAll(members []Condition, vars *Variables, want bool) Outcome {
	reasons := make([]string, 0, len(members))
	for i := range members {
		outcome := members[i].Evaluate(vars)
		if outcome.Met != want {
			return outcome
		}
		if len(reasons) < 5 {
			reasons = append(reasons, outcome.Reason)
		}
	}
	return Outcome{Met: want, Reason: strings.Join(reasons, "; ")}
}

func (c *Condition) compare(vars *Variables) Outcome {
	value, exists := vars.Get(c.Variable)
	met, note := c.holds(value, exists, vars)
	verdict := "is met"
	if !met {
		verdict = "is not met"
	}
	reason := fmt.Sprintf("%s %s %s: %s", c.Variable, c.describe(), verdict, describeValue(c.Variable, value, exists))
	if note != "" {
		reason += " (" + note + ")"
	}
	return Outcome{Met: met, Reason: vars.Mask(reason)}
}

func (c *Condition) holds(value Value, exists bool, vars *Variables) (met bool, note string) {
	if c.Operator == Exists {
		return exists != (strings.EqualFold(c.Operand.Text, "false")), ""
	}
	operands := []string{c.Operand.Text}
	if c.Operand.IsList() {
		operands = c.Operand.List
	}
	if c.Operator != Matches {
		expanded, err := expandAll(vars, operands)
		if err != nil {
			return false, err.Error()
		}
		operands = expanded
	}
	items := value.List
	if !value.IsList() {
		items = []string{value.Text}
	}
	for _, item := range items {
		for _, operand := range operands {
			ok, why := compareText(c.Operator, item, operand, value.IsList())
			if ok {
				return c.Operator != NotEquals, ""
			}
			note = why
		}
	}
	return c.Operator == NotEquals, note
}

func expandAll(vars *Variables, texts []string) ([]string, error) {
	out := make([]string, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = vars.Expand(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// compareText compares one item with one operand; for NotEquals it answers as Equals.
func compareText(op Operator, item, operand string, ofList bool) (ok bool, why string) {
	switch op {
	case Equals, NotEquals, In:
		return strings.EqualFold(item, operand), ""
	case Contains:
		if ofList {
			return strings.EqualFold(item, operand), ""
		}
		return strings.Contains(strings.ToLower(item), strings.ToLower(operand)), ""
	case Matches:
		pattern, err := regexp.Compile(operand)
		if err != nil {
			return false, "the pattern cannot be read"
		}
		return pattern.MatchString(item), ""
	case Less, Greater:
		order, err := compareOrder(item, operand)
		if err != nil {
			return false, err.Error()
		}
		return (op == Less && order < 0) || (op == Greater && order > 0), ""
	}
	return false, "unknown comparison"
}

func (c *Condition) describe() string {
	if c.Operator == Exists {
		if strings.EqualFold(c.Operand.Text, "false") {
			return "does not exist"
		}
		return "exists"
	}
	return string(c.Operator) + " " + quoteValue(c.Operand)
}

func describeValue(name string, value Value, exists bool) string {
	switch {
	case !exists:
		return name + " is not set"
	case value.Secret:
		return name + " is " + Masked
	}
	return name + " is " + quoteValue(value)
}

// quoteValue shows a value in a sentence, cut to a length that a screen can show.
func quoteValue(v Value) string {
	const most = 200
	var shown string
	if v.IsList() {
		shown = fmt.Sprintf("%q", v.List)
	} else {
		shown = fmt.Sprintf("%q", v.Text)
	}
	if len(shown) > most {
		shown = strings.ToValidUTF8(shown[:most], "") + "…"
	}
	return shown
}

// check reports everything that is wrong with a condition.
func (c *Condition) check() []error {
	nodes := 0
	return c.checkAt(1, &nodes)
}

func (c *Condition) checkAt(depth int, nodes *int) []error {
	*nodes++
	if depth > MaxConditionDepth {
		return []error{fmt.Errorf("conditions may be nested %d deep at most", MaxConditionDepth)}
	}
	if *nodes > MaxConditionNodes {
		return []error{fmt.Errorf("a condition may have %d parts at most", MaxConditionNodes)}
	}
	members := slices.Concat(c.And, c.Or)
	if c.Not != nil {
		members = append(members, *c.Not)
	}
	var errs []error
	switch set := c.forms(); {
	case set != 1:
		return []error{errors.New("a condition has exactly one of and, or, not and variable")}
	case c.Variable != "":
		return c.checkComparison()
	case len(members) == 0:
		return []error{errors.New("and and or need at least one member")}
	}
	for i := range members {
		errs = append(errs, members[i].checkAt(depth+1, nodes)...)
		if *nodes > MaxConditionNodes {
			break
		}
	}
	return errs
}

func (c *Condition) forms() int {
	n := 0
	for _, set := range []bool{c.And != nil, c.Or != nil, c.Not != nil, c.Variable != ""} {
		if set {
			n++
		}
	}
	return n
}

func (c *Condition) checkComparison() []error {
	var errs []error
	if err := CheckName(c.Variable); err != nil {
		errs = append(errs, err)
	}
	switch {
	case !slices.Contains(Operators(), c.Operator):
		errs = append(errs, fmt.Errorf("%q is not a comparison; use one of %v", c.Operator, Operators()))
	case c.Operator == In && !c.Operand.IsList():
		errs = append(errs, errors.New(`"in" needs a list, e.g. ["a", "b"]`))
	case c.Operator != In && c.Operand.IsList():
		errs = append(errs, fmt.Errorf("%q needs one text, not a list; use \"in\" to compare with several", c.Operator))
	case c.Operator == Exists && !isBool(c.Operand.Text):
		errs = append(errs, errors.New(`"exists" is followed by true or false`))
	case c.Operator == Matches:
		errs = append(errs, checkPattern(c.Operand.Text)...)
	}
	return errs
}

func checkPattern(pattern string) []error {
	if len(pattern) > maxPattern {
		return []error{fmt.Errorf("a pattern may be %d bytes long at most", maxPattern)}
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return []error{fmt.Errorf("the pattern cannot be read: %w", err)}
	}
	return nil
}
