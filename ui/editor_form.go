package ui

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"slipway/tasksequence"
	"slipway/ui/internal/edit"
	"slipway/ui/internal/view"
)

// nodeForm is the form of a step or group, made from its definition.
func (c *Console) nodeForm(v *visit, b *bench, n *tasksequence.Node, problems tasksequence.Problems) (*view.NodeForm, error) {
	f := &view.NodeForm{ID: n.ID, Name: n.Name, Description: n.Description, Group: n.IsGroup(), Enabled: !n.Disabled, Continue: n.ContinueOnError}
	f.Errors = errorsByField(problems)
	f.First, f.Last, f.CanIn, f.CanOut = edit.Place(&b.draft.Sequence, n.ID)
	f.Targets = targets(&b.draft.Sequence, n)
	f.Condition = conditionForm(n, b.draft.Typed)
	d, known := b.catalogue.Find(n.Definition, n.DefinitionVersion)
	environments := d.Environments
	if f.Group {
		environments = []string{tasksequence.LinuxPE, tasksequence.WinPE, tasksequence.FullOS}
	} else {
		f.Kind, f.About = cmp.Or(d.Name, n.Definition, "Step"), d.Description
		numbers(f, n, d, b.draft.Typed)
	}
	for _, e := range environments {
		f.Environments = append(f.Environments, view.Option{Value: e, Label: environmentWords(e, d.Systems), Selected: len(n.Environments) == 0 || slices.Contains(n.Environments, e)})
	}
	if known {
		choices, err := c.choices(v, d)
		if err != nil {
			return nil, err
		}
		for _, o := range d.Options {
			f.Options = append(f.Options, optionField(n, d, o, choices, f.Errors["settings."+o.Name]))
		}
	}
	f.Other = undrawn(problems, d, f.Group)
	f.More = n.Timeout != 0 || n.Retries != 0 || n.RetryWait != 0 || n.SuccessCodes != nil || len(n.Environments) > 0 || n.Description != "" ||
		slices.ContainsFunc(problems, func(p tasksequence.Problem) bool {
			return slices.Contains([]string{"timeout", "retries", "retryWait", "successCodes", "environments", "description"}, p.Field)
		})
	return f, nil
}

// undrawn are the problems of fields that the form does not show.
func undrawn(problems tasksequence.Problems, d tasksequence.Definition, group bool) (out []string) {
	drawn := []string{"name", "description", "condition", "environments"}
	if !group {
		drawn = append(drawn, "retries", "retryWait")
		if _, has := d.Option("Timeout"); !has {
			drawn = append(drawn, "timeout")
		}
		if _, has := d.Option("SuccessCodes"); !has {
			drawn = append(drawn, "successCodes")
		}
	}
	for _, o := range d.Options {
		drawn = append(drawn, "settings."+o.Name)
	}
	for _, p := range problems {
		if !slices.Contains(drawn, p.Field) {
			out = append(out, problemText(p))
		}
	}
	return out
}

func numbers(f *view.NodeForm, n *tasksequence.Node, d tasksequence.Definition, typed map[string]string) {
	if d.Executor == tasksequence.ExecutorNone {
		return
	}
	field := func(name string, value int) *view.TextField {
		if text, ok := typed[edit.Key(n.ID, name)]; ok {
			return &view.TextField{Value: text}
		}
		if value == 0 {
			return &view.TextField{Placeholder: "0"}
		}
		return &view.TextField{Value: strconv.Itoa(value)}
	}
	f.Retries, f.Wait = field(edit.FieldRetries, n.Retries), field(edit.FieldRetryWait, n.RetryWait)
	if _, has := d.Option("Timeout"); !has || n.Timeout != 0 {
		f.Timeout = field(edit.FieldTimeout, n.Timeout)
	}
	if _, has := d.Option("SuccessCodes"); !has || n.SuccessCodes != nil {
		f.Codes = &view.TextField{Value: joinInts(n.SuccessCodes), Placeholder: "0"}
		if text, ok := typed[edit.Key(n.ID, edit.FieldSuccessCodes)]; ok {
			f.Codes.Value = text
		}
	}
}

func joinInts(list []int) string {
	words := make([]string, len(list))
	for i, x := range list {
		words[i] = strconv.Itoa(x)
	}
	return strings.Join(words, ", ")
}

func conditionForm(n *tasksequence.Node, typed map[string]string) view.ConditionForm {
	mode, rows, text := edit.Rows(n.Condition)
	if way, ok := typed[edit.ModeKey(n.ID)]; ok {
		mode = way
	}
	if wrong, ok := typed[edit.Key(n.ID, edit.FieldCondition)]; ok {
		mode, text = edit.Text, wrong
	}
	f := view.ConditionForm{Mode: mode, Text: text}
	for _, r := range rows {
		f.Rows = append(f.Rows, view.ComparisonRow{Variable: r.Variable, Operator: r.Operator, Operand: r.Operand})
	}
	f.Rows = append(f.Rows, view.ComparisonRow{})
	return f
}

// targets are the groups that a node can be moved into, and the top.
func targets(s *tasksequence.Sequence, moved *tasksequence.Node) []view.Option {
	out := []view.Option{{Value: "", Label: "the task sequence"}}
	var walk func(nodes []tasksequence.Node, indent string)
	walk = func(nodes []tasksequence.Node, indent string) {
		for i := range nodes {
			n := &nodes[i]
			if !n.IsGroup() || n.ID == moved.ID {
				continue
			}
			out = append(out, view.Option{Value: n.ID, Label: indent + n.Name})
			walk(n.Steps, indent+"  ")
		}
	}
	walk(s.Steps, "")
	return out
}

// choices are the sequences and content items that options choose from.
type choices struct {
	sequences []view.Option
	content   map[string][]view.Option // by purpose
}

func (c *Console) choices(v *visit, d tasksequence.Definition) (out choices, err error) {
	for _, o := range d.Options {
		switch {
		case o.Type == tasksequence.TypeSequence && out.sequences == nil:
			all, err := c.backend.Sequences.List(v.ctx())
			if err != nil {
				return out, err
			}
			for _, row := range newestVersions(all) {
				if row.Active > 0 {
					out.sequences = append(out.sequences, view.Option{Value: row.S.ID, Label: row.S.Name + ", newest active version"})
				}
			}
			for _, s := range all {
				out.sequences = append(out.sequences, view.Option{Value: s.ID + ":" + strconv.Itoa(s.Version), Label: s.Name + ", version " + strconv.Itoa(s.Version) + " (" + statusWords(s.Status) + ")"})
			}
		case o.Type == tasksequence.TypeContent:
			if out.content == nil {
				out.content = map[string][]view.Option{}
			}
			if out.content[o.Purpose], err = c.contentChoices(v, o.Purpose); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// optionField draws one option of a step.
func optionField(n *tasksequence.Node, d tasksequence.Definition, o tasksequence.Option, from choices, problem string) view.OptionField {
	f := view.OptionField{Name: o.Name, Label: o.Label, Help: o.Help, Unit: o.Unit, Required: o.Required, Error: problem, Kind: view.OptionText}
	setting, given := n.Settings[o.Name]
	value, isList := valueText(setting)
	standard, _ := valueText(o.Default)
	if f.Error == o.Help || strings.HasSuffix(f.Error, ". "+o.Help) {
		f.Error = strings.TrimSuffix(f.Error, ". "+o.Help) // it stands below the field already
	}
	f.Value, f.Placeholder, f.List = value, standard, isList
	switch {
	case d.SecretSetting(n, o.Name) && !tasksequence.IsReference(setting):
		f.Kind, f.Value, f.IsSet = view.OptionSecret, "", given && value != ""
	case o.Type == tasksequence.TypeBoolean && (!given || value == "true" || value == "false"):
		f.Kind, f.Checked = view.OptionSwitch, cmp.Or(value, standard) == "true"
	case o.Type == tasksequence.TypeChoice && o.Rule != nil:
		f.Kind, f.Choices = view.OptionSelect, choiceOptions(o.Rule.Choices, value, standard)
	case o.Type == tasksequence.TypeSequence:
		f.Kind, f.Choices = view.OptionSelect, pick(from.sequences, value, "Choose a task sequence")
	case o.Type == tasksequence.TypeContent:
		f.Kind, f.Choices = view.OptionSelect, pick(from.content[o.Purpose], value, "None chosen")
	case o.Type == tasksequence.TypeLines || isList && o.Type != tasksequence.TypeIntegers:
		f.Kind, f.Mono = view.OptionArea, true
	case o.Type == tasksequence.TypeValue:
		f.Kind = view.OptionArea
	case o.Type == tasksequence.TypeInteger:
		f.Kind = view.OptionNumber
	case o.Type == tasksequence.TypeIntegers:
		f.Value, f.Placeholder, f.List = strings.ReplaceAll(value, "\n", ", "), strings.ReplaceAll(standard, "\n", ", "), false
	}
	return f
}

// valueText is a setting as text; a list is one item per line.
func valueText(setting json.RawMessage) (text string, list bool) {
	if len(setting) == 0 {
		return "", false
	}
	var v tasksequence.Value
	if err := json.Unmarshal(setting, &v); err != nil {
		return string(setting), false
	}
	if v.IsList() {
		return strings.Join(v.List, "\n"), true
	}
	return v.Text, false
}

// choiceOptions offers the choices; the default is an empty value, and a value that
// is none of them, e.g. %NAME%, stays.
func choiceOptions(list []string, value, standard string) []view.Option {
	var out []view.Option
	if standard == "" {
		out = append(out, view.Option{Label: "Not chosen", Selected: value == ""})
	}
	known := value == ""
	for _, choice := range list {
		o := view.Option{Value: choice, Label: choice, Selected: choice == cmp.Or(value, standard)}
		if choice == standard {
			o.Label += " (default)"
		}
		known = known || choice == value
		out = append(out, o)
	}
	if !known {
		out = append(out, view.Option{Value: value, Label: value, Selected: true})
	}
	return out
}

// pick offers what is there and what is chosen, also when that is gone.
func pick(list []view.Option, value, none string) []view.Option {
	out := []view.Option{{Label: none, Selected: value == ""}}
	known := value == ""
	for _, o := range list {
		o.Selected = o.Value == value
		known = known || o.Selected
		out = append(out, o)
	}
	if !known {
		out = append(out, view.Option{Value: value, Label: value + " (not there)", Selected: true})
	}
	return out
}

func environmentWords(e string, systems []string) string {
	if e == tasksequence.FullOS && len(systems) == 1 {
		return "an installed " + map[string]string{tasksequence.Linux: "Linux", tasksequence.Windows: "Windows"}[systems[0]]
	}
	switch e {
	case tasksequence.LinuxPE:
		return "the Linux boot image"
	case tasksequence.WinPE:
		return "Windows PE"
	case tasksequence.FullOS:
		return "an installed operating system"
	}
	return e
}
