package tasksequence

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Pin makes the document that a deployment runs: the sequence, every sequence that
// it runs with the version settled now, and every definition used. Children are
// validated as the sequence itself must have been.
func Pin(s Sequence, catalogue *Catalogue, lookup Lookup) (*Document, error) {
	p := pinner{catalogue: catalogue, lookup: lookup,
		doc: &Document{Format: Format, Children: map[string]Sequence{}, Definitions: map[string]Definition{}}}
	var err error
	if p.doc.Sequence, err = p.pin(s, []string{s.ID}); err != nil {
		return nil, err
	}
	if _, err := p.doc.Plan(); err != nil { // what only the whole shows: expanded size and depth
		return nil, Problems{{Field: "steps", Detail: err.Error()}}
	}
	return p.doc, nil
}

type pinner struct {
	catalogue *Catalogue
	lookup    Lookup
	doc       *Document
}

func (p *pinner) pin(s Sequence, within []string) (Sequence, error) {
	var err error
	s.Steps, err = p.nodes(s.Steps, s, within)
	return s, err
}

// nodes copies the nodes, with every version written down.
func (p *pinner) nodes(nodes []Node, s Sequence, within []string) ([]Node, error) {
	if nodes == nil {
		return nil, nil
	}
	out := slices.Clone(nodes)
	for i := range out {
		n := &out[i]
		var err error
		if n.IsGroup() {
			n.Steps, err = p.nodes(n.Steps, s, within)
		} else {
			err = p.step(n, s, within)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *pinner) step(n *Node, s Sequence, within []string) error {
	define, ok := p.catalogue.Find(n.Definition, n.DefinitionVersion)
	if !ok {
		return p.problem(n, s, within, "definition", fmt.Errorf("there is no step definition %q", n.Definition))
	}
	n.DefinitionVersion = define.Version
	p.doc.Definitions[define.Key()] = define
	if define.ID != RunTaskSequence {
		return nil
	}
	reference, err := childReference(n)
	if err != nil {
		return p.problem(n, s, within, "settings."+optionSequence, err)
	}
	child, err := p.child(reference, within)
	var problems Problems
	if errors.As(err, &problems) {
		return err
	}
	if err != nil {
		return p.problem(n, s, within, "settings."+optionSequence, err)
	}
	n.Settings = maps.Clone(n.Settings)
	n.Settings[optionSequence], err = json.Marshal(child.Reference().String())
	return err
}

// child looks a sequence up, checks it and pins what it runs in turn, once.
func (p *pinner) child(reference Reference, within []string) (Sequence, error) {
	if slices.Contains(within, reference.ID) {
		return Sequence{}, errRecursion
	}
	child, err := p.lookup(reference)
	if err != nil {
		return Sequence{}, err
	}
	key := child.Reference().String()
	if pinned, done := p.doc.Children[key]; done {
		return pinned, nil
	}
	if len(within) >= MaxDepth {
		return Sequence{}, errTooDeep
	}
	if problems := Validate(child, p.catalogue, nil); len(problems) > 0 {
		return Sequence{}, fmt.Errorf("the task sequence %q cannot run: %s", child.Name, problems[0])
	}
	pinned, err := p.pin(child, append(within[:len(within):len(within)], child.ID))
	if err != nil {
		return Sequence{}, err
	}
	p.doc.Children[key] = pinned
	return pinned, nil
}

// problem names the step, and the sequence it stands in when that is a child.
func (p *pinner) problem(n *Node, s Sequence, within []string, field string, err error) error {
	path := n.ID
	if len(within) > 1 {
		path = s.Name + ": " + path
	}
	return Problems{{Step: path, Name: n.Name, Field: field, Detail: err.Error()}}
}
