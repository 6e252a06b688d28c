package edit

import (
	"strings"
	"testing"
	"time"

	"slipway/tasksequence"
)

func sample() tasksequence.Sequence {
	step := func(id string) tasksequence.Node {
		return tasksequence.Node{ID: id, Name: id, Definition: "run-command-line"}
	}
	group := func(id string, n ...tasksequence.Node) tasksequence.Node {
		return tasksequence.Node{ID: id, Name: id, Steps: append([]tasksequence.Node{}, n...)}
	}
	return tasksequence.Sequence{Format: 1, Name: "x", Steps: []tasksequence.Node{step("a"), group("g", step("b"), group("h", step("c"))), step("d")}}
}

// outline writes the tree as "a g(b h(c)) d".
func outline(nodes []tasksequence.Node) string {
	var words []string
	for i := range nodes {
		word := nodes[i].ID
		if nodes[i].IsGroup() {
			word += "(" + outline(nodes[i].Steps) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestMoves(t *testing.T) {
	into := func(group string) func(*tasksequence.Sequence, string) error {
		return func(s *tasksequence.Sequence, id string) error { return Into(s, id, group) }
	}
	to := func(other, side string) func(*tasksequence.Sequence, string) error {
		return func(s *tasksequence.Sequence, id string) error { return Move(s, id, other, side) }
	}
	for _, c := range []struct {
		name string
		do   func(*tasksequence.Sequence, string) error
		id   string
		want string
	}{
		{"up", Up, "d", "a d g(b h(c))"},
		{"up out of a group", Up, "b", "a b g(h(c)) d"},
		{"up at the top", Up, "a", "a g(b h(c)) d"},
		{"down", Down, "a", "g(b h(c)) a d"},
		{"down out of a group", Down, "h", "a g(b) h(c) d"},
		{"down at the end", Down, "d", "a g(b h(c)) d"},
		{"in", In, "d", "a g(b h(c) d)"},
		{"in without a group above", In, "g", "a g(b h(c)) d"},
		{"out", Out, "c", "a g(b h() c) d"},
		{"into", into("h"), "a", "g(b h(c a)) d"},
		{"to the end", into(""), "b", "a g(h(c)) d b"},
		{"before another", to("h", SideBefore), "d", "a g(b d h(c))"},
		{"before one further down", to("d", SideBefore), "b", "a g(h(c)) b d"},
		{"after another", to("a", SideAfter), "c", "a c g(b h()) d"},
		{"after its own list's end", to("d", SideAfter), "a", "g(b h(c)) d a"},
		{"first in a group", to("g", SideFirst), "d", "a g(d b h(c))"},
		{"last in a group", to("h", SideLast), "a", "g(b h(c a)) d"},
		{"a whole group", to("a", SideBefore), "g", "g(b h(c)) a d"},
		{"beside itself", to("b", SideAfter), "b", "a g(b h(c)) d"},
		{"duplicate", func(s *tasksequence.Sequence, id string) error { _, err := Duplicate(s, id); return err }, "h", "a g(b h(c) h-2(c-2)) d"},
		{"remove", func(s *tasksequence.Sequence, id string) error { _, err := Remove(s, id); return err }, "g", "a d"},
	} {
		s := sample()
		if err := c.do(&s, c.id); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := outline(s.Steps); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
	s := sample()
	if Into(&s, "g", "h") == nil || Move(&s, "g", "c", SideBefore) == nil || Move(&s, "g", "g", SideLast) == nil || Move(&s, "g", "h", SideFirst) == nil ||
		Move(&s, "a", "d", SideLast) == nil || Move(&s, "a", "d", "") == nil || outline(s.Steps) != outline(sample().Steps) {
		t.Errorf("a group went into itself: %s", outline(s.Steps))
	}
	if Up(&s, "nowhere") == nil {
		t.Error("a step that is not there was moved")
	}
}

func TestUndoAndRedo(t *testing.T) {
	now := time.Unix(1, 0)
	d := New(sample(), Base{}, now)
	remove := func(id string) {
		if err := d.Do("Remove "+id, now, func(s *tasksequence.Sequence, _ map[string]string) error { _, err := Remove(s, id); return err }); err != nil {
			t.Fatal(err)
		}
	}
	remove("g")
	remove("a")
	d.Undo(now)
	if got := outline(d.Sequence.Steps); got != "a d" {
		t.Errorf("one back: %s", got)
	}
	d.Undo(now)
	if got := outline(d.Sequence.Steps); got != outline(sample().Steps) {
		t.Errorf("two back: %s", got)
	}
	d.Redo(now)
	if undo, redo := d.Next(); outline(d.Sequence.Steps) != "a d" || undo != "Remove g" || redo != "Remove a" {
		t.Errorf("one again: %s, %q, %q", outline(d.Sequence.Steps), undo, redo)
	}
	revision := d.Revision
	if err := d.Do("Nothing", now, func(*tasksequence.Sequence, map[string]string) error { return nil }); err != nil || d.Revision != revision {
		t.Errorf("a change of nothing counts: %v", err)
	}
}
