package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway/tasksequence"
	"slipway/ui/internal/edit"
	"slipway/ui/internal/view"
)

// drawEditor draws the draft with one step chosen; out carries what is wrong.
func (c *Console) drawEditor(v *visit, status int, b *bench, node string, out view.EditorView) error {
	d := b.draft
	name := cmp.Or(d.Sequence.Name, "Task sequence without a name")
	p, err := c.page(v, name, "sequences", "")
	if err != nil {
		return err
	}
	problems, err := c.draftProblems(v, b)
	if err != nil {
		return err
	}
	byPath := map[string]tasksequence.Problems{}
	for _, x := range problems {
		byPath[x.Step] = append(byPath[x.Step], x)
	}
	chosen, path := edit.Find(&d.Sequence, node)
	if chosen == nil {
		node = ""
	}
	out.ID, out.Name, out.Revision, out.Saved, out.Selected = b.id, name, d.Revision, d.Saved, node
	out.Exists, out.Replaces, out.Next, out.Origin = d.Base.Newest > 0, d.Base.Replaces, d.Base.Newest+1, originText(d.Base)
	out.Undo, out.Redo = d.Next()
	out.Rows = b.rows(d.Sequence.Steps, "", "", 0, node, byPath, nil)
	out.Problems = problemRows(&d.Sequence, problems)
	out.Add = addGroups(b.definitions)
	if chosen == nil {
		out.Sequence = sequenceForm(d.Sequence, byPath[""])
		return c.draw(v, status, view.Editor(p, out))
	}
	if out.Node, err = c.nodeForm(v, b, chosen, byPath[path]); err != nil {
		return err
	}
	return c.draw(v, status, view.Editor(p, out))
}

func originText(b edit.Base) string {
	switch {
	case b.Replaces > 0:
		return fmt.Sprintf("version %d, in development", b.Replaces)
	case b.Newest > 0:
		return fmt.Sprintf("from version %d", b.Origin.Version)
	case b.Origin.ID != "":
		return "a copy, not in the library yet"
	}
	return "new, not in the library yet"
}

// draftProblems is everything that is wrong: what cannot even be read, then what the
// library says.
func (c *Console) draftProblems(v *visit, b *bench) (tasksequence.Problems, error) {
	d := b.draft
	body, err := document(d, b.id, tasksequence.InDevelopment, d.Base.Replaces)
	if err != nil {
		return nil, err
	}
	found, err := c.backend.Sequences.Check(v.ctx(), body, d.Base.Origin)
	if err != nil {
		return nil, err
	}
	return append(typedProblems(d), found...), nil
}

// typedProblems are those of what was typed and could not be read.
func typedProblems(d *edit.Draft) (out tasksequence.Problems) {
	keys := make([]string, 0, len(d.Typed))
	for key := range d.Typed {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		id, field, _ := strings.Cut(key, "/")
		n, path := edit.Find(&d.Sequence, id)
		if n == nil || key == edit.ModeKey(id) {
			continue
		}
		detail := fmt.Sprintf("%q is not a whole number", d.Typed[key])
		switch field {
		case edit.FieldCondition:
			detail = edit.ConditionError(d.Typed[key])
		case edit.FieldSuccessCodes:
			detail = "write whole numbers with commas between"
		}
		out = append(out, tasksequence.Problem{Step: path, Name: n.Name, Field: field, Detail: detail})
	}
	return out
}

// problemText is a problem without the place that is told beside it.
func problemText(p tasksequence.Problem) string {
	if p.Remedy == "" {
		return p.Detail
	}
	return strings.TrimRight(p.Detail, ".") + ". " + p.Remedy
}

func problemRows(s *tasksequence.Sequence, problems tasksequence.Problems) []view.ProblemRow {
	var out []view.ProblemRow
	for _, p := range problems {
		out = append(out, view.ProblemRow{Node: nodeOfPath(s, p.Step), Name: p.Name, Text: fieldWords(p.Field) + p.Detail, Warning: p.Warning})
	}
	return out
}

func fieldWords(field string) string {
	name := strings.TrimPrefix(field, "settings.")
	if name == "" || name == "steps" || name == "name" || name == "definition" {
		return ""
	}
	return name + ": "
}

// nodeOfPath is the id of the node at a path, or of the nearest group around it.
func nodeOfPath(s *tasksequence.Sequence, path string) string {
	ids := strings.Split(path, "/")
	for i := len(ids); i > 0; i-- {
		if n, at := edit.Find(s, ids[i-1]); n != nil && at == strings.Join(ids[:i], "/") {
			return ids[i-1]
		}
	}
	return ""
}

// rows lays the tree out in the order in which it runs; group names what is around.
func (b *bench) rows(nodes []tasksequence.Node, prefix, group string, depth int, chosen string, problems map[string]tasksequence.Problems, out []view.EditRow) []view.EditRow {
	for i := range nodes {
		n := &nodes[i]
		path := prefix + n.ID
		row := view.EditRow{ID: n.ID, Name: n.Name, Depth: depth, Group: n.IsGroup(), Off: n.Disabled, Current: n.ID == chosen,
			Place: i + 1, Of: len(nodes), In: group}
		if !n.IsGroup() {
			row.Kind = n.Definition
			if d, ok := b.catalogue.Find(n.Definition, n.DefinitionVersion); ok {
				row.Kind = d.Name
			}
		}
		for _, p := range problems[path] {
			if p.Warning {
				row.Warnings++
			} else {
				row.Problems++
			}
		}
		out = append(out, row)
		out = b.rows(n.Steps, path+"/", cmp.Or(n.Name, n.ID), depth+1, chosen, problems, out)
	}
	return out
}

// addGroups offers the newest version of each kind of step, by category.
func addGroups(definitions []tasksequence.Definition) []view.OptionGroup {
	var groups []view.OptionGroup
	newest := map[string]int{}
	for _, d := range definitions {
		newest[d.ID] = max(newest[d.ID], d.Version)
	}
	for _, d := range definitions {
		if d.Version != newest[d.ID] {
			continue
		}
		category := cmp.Or(d.Category, "Other")
		i := slices.IndexFunc(groups, func(g view.OptionGroup) bool { return g.Label == category })
		if i < 0 {
			i = len(groups)
			groups = append(groups, view.OptionGroup{Label: category})
		}
		groups[i].Options = append(groups[i].Options, view.Option{Value: d.ID, Label: d.Name})
	}
	return groups
}

func sequenceForm(s tasksequence.Sequence, problems tasksequence.Problems) *view.SequenceForm {
	f := &view.SequenceForm{Name: s.Name, Description: s.Description, Errors: map[string]string{}}
	errs := errorsByField(problems)
	for field, text := range errs {
		if !strings.HasPrefix(field, "variables.") {
			f.Errors[field] = text
		}
	}
	for _, a := range [][2]string{{"", "any architecture"}, {"x64", "x64"}, {"arm64", "arm64"}} {
		f.Architecture = append(f.Architecture, view.Option{Value: a[0], Label: a[1], Selected: a[0] == s.Architecture})
	}
	names := make([]string, 0, len(s.Variables))
	for name := range s.Variables {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := s.Variables[name]
		row := view.VariableRow{Name: name, Value: value.Text, List: value.IsList(), Error: errs["variables."+name]}
		if row.List {
			row.Value = strings.Join(value.List, "\n")
		}
		f.Variables = append(f.Variables, row)
	}
	f.Variables = append(f.Variables, view.VariableRow{})
	return f
}

// errorsByField joins the problems of each field; warnings stand in the list alone.
func errorsByField(problems tasksequence.Problems) map[string]string {
	out := map[string]string{}
	for _, p := range problems {
		text := problemText(p)
		if have := out[p.Field]; have != "" {
			text = have + "\n" + text
		}
		out[p.Field] = text
	}
	return out
}
