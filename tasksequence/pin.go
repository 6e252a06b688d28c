package tasksequence

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Sources are where what a sequence names is found.
type Sources struct {
	Catalogue *Catalogue
	Sequences Lookup        // nil: no task sequence is found
	Content   ContentLookup // nil: no content is found
}

// Pin makes the document that a deployment runs: the sequence, every sequence that
// it runs and every content item that it uses, with the versions settled now, and
// every definition used. Children are validated as the sequence itself must have
// been. All problems are reported at once. Disabled steps need no content.
func Pin(s Sequence, from Sources) (*Document, error) {
	p := pinner{from: from, doc: &Document{Format: Format, Children: map[string]Sequence{}, Definitions: map[string]Definition{}}}
	p.doc.Sequence = p.pin(s, []string{s.ID})
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	if _, err := p.doc.Plan(); err != nil { // what only the whole shows: expanded size and depth
		return nil, Problems{{Field: "steps", Detail: err.Error()}}
	}
	return p.doc, nil
}

type pinner struct {
	from     Sources
	doc      *Document
	problems Problems
}

// place is where the nodes of one list stand.
type place struct {
	sequence string   // name of the sequence
	within   []string // ids of the sequences around, itself included
	prefix   string   // of the nodes' paths within their sequence
	disabled bool
}

func (p *pinner) pin(s Sequence, within []string) Sequence {
	s.Steps = p.nodes(s.Steps, place{sequence: s.Name, within: within})
	return s
}

// nodes copies the nodes, with every version written down.
func (p *pinner) nodes(nodes []Node, at place) []Node {
	if nodes == nil {
		return nil
	}
	out := slices.Clone(nodes)
	for i := range out {
		n := &out[i]
		inner := at
		inner.disabled = at.disabled || n.Disabled
		if n.IsGroup() {
			inner.prefix += n.ID + "/"
			n.Steps = p.nodes(n.Steps, inner)
			continue
		}
		p.step(n, inner)
	}
	return out
}

func (p *pinner) step(n *Node, at place) {
	define, ok := p.from.Catalogue.Find(n.Definition, n.DefinitionVersion)
	if !ok {
		p.report(n, at, "definition", fmt.Sprintf("there is no step definition %q", n.Definition), "")
		return
	}
	n.DefinitionVersion = define.Version
	p.define(n, at, define)
	n.Settings = maps.Clone(n.Settings)
	if n.Settings == nil {
		n.Settings = map[string]json.RawMessage{}
	}
	if define.ID == RunTaskSequence {
		p.call(n, at)
	}
	if !at.disabled {
		p.content(n, at, define)
	}
	if len(n.Settings) == 0 {
		n.Settings = nil
	}
}

// define notes a definition in the document, the content of its script settled.
func (p *pinner) define(n *Node, at place, define Definition) {
	if noted, ok := p.doc.Definitions[define.Key()]; ok && (at.disabled || noted.Script == nil || p.settled(noted.Script.Content)) {
		return
	}
	if define.Script != nil && define.Script.Content != "" && !at.disabled {
		script := *define.Script
		found, err := p.contentVersion(Value{Text: script.Content}, "")
		if err != nil {
			p.report(n, at, "definition", "its script: "+err.Error(), contentRemedy(err))
		} else {
			script.Content = found.Reference().String()
			p.note(found)
		}
		define.Script = &script
	}
	p.doc.Definitions[define.Key()] = define
}

// settled reports whether content is noted under this very version.
func (p *pinner) settled(reference string) bool {
	_, ok := p.doc.Content[reference]
	return ok || reference == ""
}

// call settles which version of the child a Run task sequence step runs.
func (p *pinner) call(n *Node, at place) {
	const field = "settings." + optionSequence
	reference, err := childReference(n)
	if err != nil {
		p.report(n, at, field, err.Error(), "")
		return
	}
	child, err := p.child(reference, at.within)
	if err != nil {
		remedy := ""
		if errors.Is(err, ErrNoSequence) {
			remedy = "Choose another task sequence, or make a version of this one active."
		}
		p.report(n, at, field, err.Error(), remedy)
		return
	}
	text, err := json.Marshal(child.Reference().String())
	if err != nil {
		p.report(n, at, field, err.Error(), "")
		return
	}
	n.Settings[optionSequence] = text
}

// child looks a sequence up, checks it and pins what it runs in turn, once.
func (p *pinner) child(reference Reference, within []string) (Sequence, error) {
	if slices.Contains(within, reference.ID) {
		return Sequence{}, errRecursion
	}
	if p.from.Sequences == nil {
		return Sequence{}, fmt.Errorf("%s: %w", reference, ErrNoSequence)
	}
	child, err := p.from.Sequences(reference)
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
	if problems := Check(child, p.from.Catalogue); len(problems) > 0 {
		return Sequence{}, fmt.Errorf("the task sequence %q cannot run: %s", child.Name, problems[0])
	}
	pinned := p.pin(child, append(within[:len(within):len(within)], child.ID))
	p.doc.Children[key] = pinned
	return pinned, nil
}

// report names the step, and the sequence it stands in when that is a child.
func (p *pinner) report(n *Node, at place, field, detail, remedy string) {
	if len(p.problems) >= maxProblems {
		return
	}
	path := at.prefix + n.ID
	if len(at.within) > 1 {
		path = at.sequence + ": " + path
	}
	p.problems = append(p.problems, Problem{Step: path, Name: n.Name, Field: field, Detail: detail, Remedy: remedy})
}
