package view

import (
	"net/url"
	"strings"
	"time"
)

// EditorView is the editor of a task sequence.
type EditorView struct {
	ID, Name string
	Revision int
	Saved    bool   // nothing to save
	Origin   string // what is edited, in words
	Exists   bool   // the library holds a version of it
	Replaces int    // the version that saving replaces; 0: it makes a new one
	Next     int    // number of a new version
	Active   bool   // saving makes a version beside an active one

	Rows     []EditRow
	Problems []ProblemRow
	Undo     string
	Redo     string
	Add      []OptionGroup
	Selected string // node; empty: the sequence itself

	Problem  string // of the last press
	Stale    bool   // the form was older than the draft
	Conflict string // somebody else saved meanwhile

	Sequence *SequenceForm // one of both
	Node     *NodeForm
}

// OptionGroup is a heading with what it holds.
type OptionGroup struct {
	Label   string
	Options []Option
}

// EditRow is a line of the tree.
type EditRow struct {
	ID, Name, Kind     string
	Depth              int
	Place, Of          int    // among those beside it, from 1
	In                 string // name of the group around; empty at the top
	Group, Off         bool
	Current            bool
	Problems, Warnings int
}

// ProblemRow is one problem; Node is where it is mended.
type ProblemRow struct {
	Node, Name, Text string
	Warning          bool
}

// SequenceForm is what belongs to the sequence itself.
type SequenceForm struct {
	Name, Description string
	Architecture      []Option
	Variables         []VariableRow
	Errors            map[string]string
}

// VariableRow is a variable and its default.
type VariableRow struct {
	Name, Value string
	List        bool
	Error       string
	Secret      bool   // of a device's: sealed
	Was         string // of a device's: the name of the secret that is set
	ValueError  string
}

// NodeForm is a step or a group.
type NodeForm struct {
	ID, Name, Description string
	Group                 bool
	Kind, About           string // the definition's name and description
	Enabled, Continue     bool
	Options               []OptionField
	Timeout               *TextField // nil: the definition has an option for it
	Retries, Wait         *TextField
	Codes                 *TextField
	Environments          []Option
	Condition             ConditionForm
	Errors                map[string]string
	Other                 []string // problems of fields that are not drawn
	First, Last           bool
	CanOut, CanIn         bool
	Targets               []Option // groups that it can be moved into
	More                  bool     // the rare fields hold something
}

// TextField is one field of a line.
type TextField struct{ Value, Placeholder string }

// ConditionForm is when a step runs.
type ConditionForm struct {
	Mode string
	Rows []ComparisonRow
	Text string
}

// ComparisonRow is one comparison.
type ComparisonRow struct{ Variable, Operator, Operand string }

// The kinds of fields that options are drawn as.
const (
	OptionText   = "text"
	OptionArea   = "area"
	OptionSwitch = "switch"
	OptionSelect = "select"
	OptionNumber = "number"
	OptionSecret = "secret"
)

// OptionField is one option of a step, as its definition describes it.
type OptionField struct {
	Name, Label, Help, Unit string
	Kind                    string
	Value, Placeholder      string
	Required, Checked       bool
	List                    bool // each line of the value is an item
	IsSet                   bool // of a secret: there is one
	Mono                    bool
	Choices                 []Option
	Error                   string
}

func (o OptionField) field() string { return "set." + o.Name }

// id of the field; names of options hold letters and digits, at most a dash.
func (o OptionField) id() string { return "o-" + o.Name }

// EditURL is the editor of a sequence with a step chosen.
func EditURL(id, node string) string {
	u := "/sequences/" + url.PathEscape(id) + "/edit"
	if node != "" {
		u += "?" + url.Values{"node": {node}}.Encode()
	}
	return u
}

// StatusURL publishes or deprecates.
func StatusURL(id string) string { return "/sequences/" + url.PathEscape(id) + "/status" }

// NewSequenceView is where a new sequence begins.
type NewSequenceView struct {
	Templates []TemplateRow
	Chosen    string
	Name      string
	Error     string
}

// TemplateRow is one template.
type TemplateRow struct{ ID, Name, Description, Steps string }

// DraftRow is a draft of the visitor.
type DraftRow struct {
	ID, Name  string
	ChangedAt time.Time
}

// operators are the comparisons in words, in the order in which they are offered.
func operators(chosen string) []Option {
	words := [][2]string{{"equals", "is"}, {"notEquals", "is not"}, {"contains", "contains"}, {"matches", "matches"}, {"less", "is less than"},
		{"greater", "is greater than"}, {"in", "is one of"}, {"exists", "exists"}}
	var out []Option
	for _, w := range words {
		out = append(out, Option{Value: w[0], Label: w[1], Selected: w[0] == chosen})
	}
	return out
}

func modes(chosen string) []Option {
	words := [][2]string{{"", "Always"}, {"all", "When all of these hold"}, {"any", "When any of these holds"}, {"text", "As written (JSON)"}}
	var out []Option
	for _, w := range words {
		out = append(out, Option{Value: w[0], Label: w[1], Selected: w[0] == chosen})
	}
	return out
}

func (v EditorView) errors() (n int) {
	for _, p := range v.Problems {
		if !p.Warning {
			n++
		}
	}
	return n
}

// sure are the problems that stand in the way; the others are warnings.
func (v EditorView) saveText() string {
	switch {
	case v.Replaces > 0:
		return "Save version " + itoa(v.Replaces)
	case v.Exists:
		return "Save as version " + itoa(v.Next)
	}
	return "Save"
}

func areaRows(text string) string { return itoa(min(max(strings.Count(text, "\n")+2, 3), 16)) }

func inputMode(kind string) string {
	if kind == OptionNumber {
		return "numeric"
	}
	return "text"
}
