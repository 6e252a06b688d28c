// Package templates makes task sequences to begin with. A template names no content:
// whoever uses it says which item takes each place. It is a description of usual
// work, made of the same steps that everybody else uses.
package templates

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/tasksequence"
)

// ErrUnknown says that there is no such template.
var ErrUnknown = errors.New("there is no such template")

// Template is a task sequence to begin with.
type Template struct {
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Content     []Place               `json:"content,omitempty"` // what has to be chosen
	Sequence    tasksequence.Sequence `json:"sequence"`
}

// Place is a content option that must be filled for the sequence to be valid.
type Place struct {
	Name    string `json:"name"`    // "step.option"; what Fill is given
	Label   string `json:"label"`   // e.g. "Apply operating system: Image"
	Purpose string `json:"purpose"` // that the item must have; empty: any
	Help    string `json:"help,omitempty"`

	path, option string
}

// All returns the templates whose steps the catalogue has, in the order in which they
// are offered.
func All(catalogue *tasksequence.Catalogue) []Template {
	var all []Template
	for _, t := range drafts() {
		if t.places(catalogue) {
			all = append(all, t)
		}
	}
	return all
}

// Find returns a template. ErrUnknown.
func Find(catalogue *tasksequence.Catalogue, id string) (Template, error) {
	all := All(catalogue)
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	var ids []string
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	return Template{}, fmt.Errorf("%q: %w; there are: %s", id, ErrUnknown, strings.Join(ids, ", "))
}

// places notes which content has to be chosen; false when the catalogue lacks a step.
func (t *Template) places(catalogue *tasksequence.Catalogue) bool {
	return visit(t.Sequence.Steps, "", func(path string, n *tasksequence.Node) bool {
		define, ok := catalogue.Find(n.Definition, 0)
		for _, o := range define.Options {
			if _, given := n.Settings[o.Name]; o.Type == tasksequence.TypeContent && o.Required && !given {
				t.Content = append(t.Content, Place{Name: n.ID + "." + o.Name, Label: n.Name + ": " + o.Label, Purpose: o.Purpose, Help: o.Help, path: path, option: o.Name})
			}
		}
		return ok
	})
}

// visit calls fn for every step until it answers false.
func visit(nodes []tasksequence.Node, prefix string, fn func(path string, n *tasksequence.Node) bool) bool {
	for i := range nodes {
		n := &nodes[i]
		path := prefix + n.ID
		if n.IsGroup() && !visit(n.Steps, path+"/", fn) || !n.IsGroup() && !fn(path, n) {
			return false
		}
	}
	return true
}

// Fill makes a sequence of the template, in development. content names the items by
// the places' names. Problems name each place that is missing or unknown.
func (t Template) Fill(name string, content map[string]string) (tasksequence.Sequence, error) {
	var problems tasksequence.Problems
	known := map[string]Place{}
	for _, p := range t.Content {
		known[p.Name] = p
		if content[p.Name] == "" {
			problems = append(problems, tasksequence.Problem{Step: p.path, Field: "settings." + p.option, Detail: "content has to be chosen for " + p.Label,
				Remedy: fmt.Sprintf("Give %s=ID, or ID:VERSION, of a content item.", p.Name)})
		}
	}
	for _, place := range slices.Sorted(maps.Keys(content)) {
		if _, ok := known[place]; !ok {
			problems = append(problems, tasksequence.Problem{Field: place, Detail: "the template has no such place for content"})
		}
	}
	if len(problems) > 0 {
		return tasksequence.Sequence{}, problems
	}
	s := t.Sequence
	s.Status = tasksequence.InDevelopment
	if name != "" {
		s.Name = name
	}
	var err error
	s.Steps, err = t.filled(s.Steps, content)
	return s, err
}

// filled copies the nodes with their content set.
func (t Template) filled(nodes []tasksequence.Node, content map[string]string) ([]tasksequence.Node, error) {
	out := slices.Clone(nodes)
	for i := range out {
		n := &out[i]
		var err error
		if n.IsGroup() {
			if n.Steps, err = t.filled(n.Steps, content); err != nil {
				return nil, err
			}
			continue
		}
		n.Settings = maps.Clone(n.Settings)
		for _, p := range t.Content {
			if p.Name != n.ID+"."+p.option {
				continue
			}
			if n.Settings == nil {
				n.Settings = map[string]json.RawMessage{}
			}
			if n.Settings[p.option], err = json.Marshal(content[p.Name]); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
