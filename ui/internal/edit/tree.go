package edit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"slipway/tasksequence"
)

// ErrGone: the step or group is not in the sequence any more.
var ErrGone = errors.New("this step is not in the task sequence any more")

// spot is where a node stands: in a list, at an index.
type spot struct {
	list   *[]tasksequence.Node
	index  int
	parent *spot // the group around; nil at the top
}

func (p *spot) node() *tasksequence.Node { return &(*p.list)[p.index] }

func find(list *[]tasksequence.Node, id string, parent *spot) *spot {
	for i := range *list {
		here := &spot{list: list, index: i, parent: parent}
		if (*list)[i].ID == id {
			return here
		}
		if found := find(&(*list)[i].Steps, id, here); found != nil {
			return found
		}
	}
	return nil
}

// Find returns the node with an id and its path; nil when there is none.
func Find(s *tasksequence.Sequence, id string) (n *tasksequence.Node, path string) {
	p := find(&s.Steps, id, nil)
	if p == nil || id == "" {
		return nil, ""
	}
	path = id
	for up := p.parent; up != nil; up = up.parent {
		path = up.node().ID + "/" + path
	}
	return p.node(), path
}

// Add puts a new node after the one named, or at the end of that group; at the end
// of the sequence when none is named. It returns the id that the node got.
func Add(s *tasksequence.Sequence, after string, n tasksequence.Node) string {
	n.ID = ""
	p := find(&s.Steps, after, nil)
	switch {
	case p == nil || after == "":
		s.Steps = append(s.Steps, n)
		p = &spot{list: &s.Steps, index: len(s.Steps) - 1}
	case p.node().IsGroup():
		group := p.node()
		group.Steps = append(group.Steps, n)
		p = &spot{list: &group.Steps, index: len(group.Steps) - 1}
	default:
		*p.list = slices.Insert(*p.list, p.index+1, n)
		p.index++
	}
	tasksequence.AssignIDs(s)
	return p.node().ID
}

// Remove takes a node out with all that is in it, and names the one to look at next.
func Remove(s *tasksequence.Sequence, id string) (next string, err error) {
	p := find(&s.Steps, id, nil)
	if p == nil {
		return "", ErrGone
	}
	*p.list = slices.Delete(*p.list, p.index, p.index+1)
	switch {
	case p.index < len(*p.list):
		return (*p.list)[p.index].ID, nil
	case p.index > 0:
		return (*p.list)[p.index-1].ID, nil
	case p.parent != nil:
		return p.parent.node().ID, nil
	}
	return "", nil
}

// Duplicate puts a copy behind a node, with ids of its own, and returns the copy's id.
func Duplicate(s *tasksequence.Sequence, id string) (string, error) {
	p := find(&s.Steps, id, nil)
	if p == nil {
		return "", ErrGone
	}
	text, err := json.Marshal(p.node())
	if err != nil {
		return "", fmt.Errorf("copy the step: %w", err)
	}
	var n tasksequence.Node
	if err := json.Unmarshal(text, &n); err != nil {
		return "", fmt.Errorf("copy the step: %w", err)
	}
	forget(&n)
	*p.list = slices.Insert(*p.list, p.index+1, n)
	tasksequence.AssignIDs(s)
	return (*p.list)[p.index+1].ID, nil
}

func forget(n *tasksequence.Node) {
	n.ID = ""
	for i := range n.Steps {
		forget(&n.Steps[i])
	}
}

// Up moves a node before the one above, out of its group when it is the first there.
func Up(s *tasksequence.Sequence, id string) error {
	return move(s, id, func(p *spot) {
		switch {
		case p.index > 0:
			l := *p.list
			l[p.index-1], l[p.index] = l[p.index], l[p.index-1]
		case p.parent != nil:
			up := p.parent
			n := p.take()
			*up.list = slices.Insert(*up.list, up.index, n)
		}
	})
}

// Down moves a node behind the one below, out of its group when it is the last there.
func Down(s *tasksequence.Sequence, id string) error {
	return move(s, id, func(p *spot) {
		switch {
		case p.index+1 < len(*p.list):
			l := *p.list
			l[p.index+1], l[p.index] = l[p.index], l[p.index+1]
		case p.parent != nil:
			p.out()
		}
	})
}

// Out moves a node behind the group it is in.
func Out(s *tasksequence.Sequence, id string) error {
	return move(s, id, func(p *spot) {
		if p.parent != nil {
			p.out()
		}
	})
}

// In moves a node to the end of the group right above it.
func In(s *tasksequence.Sequence, id string) error {
	return move(s, id, func(p *spot) {
		if p.index == 0 || !(*p.list)[p.index-1].IsGroup() {
			return
		}
		n := p.take()
		group := &(*p.list)[p.index-1]
		group.Steps = append(group.Steps, n)
	})
}

// Into moves a node to the end of a group; an empty name is the end of the sequence.
// A group cannot go into itself.
func Into(s *tasksequence.Sequence, id, group string) error {
	p := find(&s.Steps, id, nil)
	if p == nil {
		return ErrGone
	}
	if group != "" {
		to := find(&s.Steps, group, nil)
		if to == nil || !to.node().IsGroup() {
			return ErrGone
		}
		for up := to; up != nil; up = up.parent {
			if up.node().ID == id {
				return errors.New("a group cannot be moved into itself")
			}
		}
	}
	n := p.take()
	to := &s.Steps
	if group != "" {
		to = &find(&s.Steps, group, nil).node().Steps
	}
	*to = append(*to, n)
	return nil
}

// The sides of a node to which another one can be moved; First and Last are in a group.
const (
	SideBefore = "before"
	SideAfter  = "after"
	SideFirst  = "first"
	SideLast   = "last"
)

// Move puts a node beside another one or into it, wherever both stand. A group cannot
// go into itself.
func Move(s *tasksequence.Sequence, id, other, side string) error {
	p, to := find(&s.Steps, id, nil), find(&s.Steps, other, nil)
	inside := side == SideFirst || side == SideLast
	switch {
	case p == nil || to == nil || inside && !to.node().IsGroup():
		return ErrGone
	case !inside && side != SideBefore && side != SideAfter:
		return errors.New("say where the step goes: before or after another, or first or last in a group")
	case id == other && !inside:
		return nil
	}
	for up := to; up != nil; up = up.parent {
		if up.node().ID == id {
			return errors.New("a group cannot be moved into itself")
		}
	}
	n := p.take()
	to = find(&s.Steps, other, nil) // taking may have shifted it
	switch side {
	case SideFirst:
		group := to.node()
		group.Steps = slices.Insert(group.Steps, 0, n)
	case SideLast:
		group := to.node()
		group.Steps = append(group.Steps, n)
	case SideAfter:
		*to.list = slices.Insert(*to.list, to.index+1, n)
	default:
		*to.list = slices.Insert(*to.list, to.index, n)
	}
	return nil
}

func move(s *tasksequence.Sequence, id string, fn func(p *spot)) error {
	p := find(&s.Steps, id, nil)
	if p == nil {
		return ErrGone
	}
	fn(p)
	return nil
}

// take removes the node from its list; a group that becomes empty stays a group.
func (p *spot) take() tasksequence.Node {
	n := *p.node()
	*p.list = slices.Delete(*p.list, p.index, p.index+1)
	return n
}

func (p *spot) out() {
	up := p.parent
	n := p.take()
	*up.list = slices.Insert(*up.list, up.index+1, n)
}

// Toggle switches a node off or on.
func Toggle(s *tasksequence.Sequence, id string) error {
	return move(s, id, func(p *spot) { p.node().Disabled = !p.node().Disabled })
}

// Place says how a node can be moved: whether it is the first and the last of its
// list, whether a group stands right above it, and whether it is in a group.
func Place(s *tasksequence.Sequence, id string) (first, last, in, out bool) {
	p := find(&s.Steps, id, nil)
	if p == nil {
		return true, true, false, false
	}
	return p.index == 0, p.index == len(*p.list)-1, p.index > 0 && (*p.list)[p.index-1].IsGroup(), p.parent != nil
}
