package tasksequence

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Plan is a document laid out in the order in which its nodes come, children
// included. It is static: which nodes there are depends on nothing but the
// document. The console draws its tree of steps from it.
type Plan struct {
	Nodes []PlanNode
	Steps int // the M of "Step N of M": steps that are not disabled
}

// PlanNode is one node in a plan.
type PlanNode struct {
	Path     string
	Node     *Node
	Depth    int        // 0 for the sequence's own nodes
	Group    bool       // a group, or a Run task sequence step, which holds its child's nodes
	Call     *Sequence  // the child that a Run task sequence step enters
	Disabled bool       // by itself or by what it stands in: not part of the run
	Number   int        // N of "Step N of M"; 0 for groups and disabled steps
	Steps    int        // steps in it, itself included, that are not disabled
	Define   Definition // of a step

	parent int // index of the group it stands in, -1 at the top
	end    int // index after its last member
}

// Limits of documents.
const (
	MaxNodes         = 10_000  // of a document, children expanded
	MaxDepth         = 32      // nesting of groups and children
	MaxPath          = 400     // bytes of a path; results are kept under it
	MaxSequenceBytes = 4 << 20 // JSON text of one sequence
	MaxDocumentBytes = 8 << 20 // JSON text of a document
	MaxVersion       = 999_999
)

var (
	errTooManyNodes = fmt.Errorf("a task sequence may have %d steps and groups at most, those of the task sequences it runs included", MaxNodes)
	errTooDeep      = fmt.Errorf("groups and task sequences may be nested %d deep at most", MaxDepth)
	errLongPath     = fmt.Errorf("the ids on the way to this step may be %d bytes long together", MaxPath)
	errRecursion    = errors.New("a task sequence cannot run itself, not even through others")
)

// Plan lays the document out. It fails for a document that cannot be run: an
// unknown definition, a missing child, recursion, or a limit exceeded.
func (d *Document) Plan() (*Plan, error) {
	b := planner{doc: d, plan: &Plan{}, builtin: BuiltinCatalogue(), paths: map[string]bool{}}
	frame := frame{parent: -1, within: []string{d.Sequence.ID}}
	if err := b.add(d.Sequence.Steps, frame); err != nil {
		return nil, err
	}
	return b.plan, nil
}

type planner struct {
	doc     *Document
	plan    *Plan
	builtin *Catalogue
	paths   map[string]bool
}

// frame is what the nodes of one list have in common.
type frame struct {
	parent   int
	depth    int
	prefix   string
	disabled bool
	within   []string // ids of the sequences it stands in
}

func (b *planner) add(nodes []Node, f frame) error {
	if f.depth >= MaxDepth && len(nodes) > 0 {
		return errTooDeep
	}
	for i := range nodes {
		if len(b.plan.Nodes) >= MaxNodes {
			return errTooManyNodes
		}
		if err := b.addNode(&nodes[i], f); err != nil {
			return err
		}
	}
	return nil
}

func (b *planner) addNode(n *Node, f frame) error {
	index, before := len(b.plan.Nodes), b.plan.Steps
	p := PlanNode{Path: f.prefix + n.ID, Node: n, Depth: f.depth, Disabled: f.disabled || n.Disabled, parent: f.parent}
	if len(p.Path) > MaxPath {
		return fmt.Errorf("step %s: %w", n.ID, errLongPath)
	}
	if b.paths[p.Path] {
		return fmt.Errorf("step %s: there are two with this path", p.Path)
	}
	b.paths[p.Path] = true
	inner := frame{parent: index, depth: f.depth + 1, prefix: p.Path + "/", disabled: p.Disabled, within: f.within}
	members := n.Steps
	if n.Steps != nil {
		p.Group = true
	} else {
		define, ok := b.doc.definition(b.builtin, n)
		if !ok {
			return fmt.Errorf("step %s: there is no step definition %q, version %d", p.Path, n.Definition, n.DefinitionVersion)
		}
		p.Define = define
	}
	if n.Steps == nil && p.Define.ID == RunTaskSequence && !p.Disabled {
		child, err := b.child(n, f.within)
		if err != nil {
			return fmt.Errorf("step %s: %w", p.Path, err)
		}
		p.Group, p.Call, members = true, child, child.Steps
		inner.prefix = p.Path + ">"
		inner.within = append(inner.within[:len(inner.within):len(inner.within)], child.ID)
	}
	if !p.Group && !p.Disabled {
		b.plan.Steps++
		p.Number = b.plan.Steps
	}
	b.plan.Nodes = append(b.plan.Nodes, p)
	if err := b.add(members, inner); err != nil {
		return err
	}
	b.plan.Nodes[index].end = len(b.plan.Nodes)
	b.plan.Nodes[index].Steps = b.plan.Steps - before
	return nil
}

func (b *planner) child(n *Node, within []string) (*Sequence, error) {
	reference, err := childReference(n)
	if err != nil {
		return nil, err
	}
	child, ok := b.doc.Children[reference.String()]
	if !ok {
		return nil, fmt.Errorf("the task sequence %s is not part of the document", reference)
	}
	for _, id := range within {
		if id == child.ID {
			return nil, errRecursion
		}
	}
	return &child, nil
}

// childReference reads which sequence a Run task sequence step names.
func childReference(n *Node) (Reference, error) {
	var text string
	if err := json.Unmarshal(n.Settings[optionSequence], &text); err != nil {
		return Reference{}, fmt.Errorf("%s: the id of a task sequence is needed", optionSequence)
	}
	return ParseReference(text)
}

// definition finds a step's definition: the pinned one, else the built-in one.
func (d *Document) definition(builtin *Catalogue, n *Node) (Definition, bool) {
	if define, ok := d.Definitions[Definition{ID: n.Definition, Version: n.DefinitionVersion}.Key()]; ok {
		return define, true
	}
	return builtin.Find(n.Definition, n.DefinitionVersion)
}
