package tasksequence

import (
	"fmt"
	"strings"
)

// AssignIDs gives every node without an id one that is made from its name, unique
// within the sequence. The same text always leads to the same ids.
func AssignIDs(s *Sequence) {
	taken := map[string]bool{}
	walk(s.Steps, func(n *Node) {
		taken[strings.ToLower(n.ID)] = true
	})
	next := map[string]int{}
	walk(s.Steps, func(n *Node) {
		if n.ID != "" {
			return
		}
		base := slug(n.Name)
		id := base
		for i := max(next[base], 2); taken[id]; i++ {
			id = fmt.Sprintf("%s-%d", base, i)
			next[base] = i + 1
		}
		taken[id] = true
		n.ID = id
	})
}

// walk visits all nodes in order, groups before their members.
func walk(nodes []Node, visit func(*Node)) {
	for i := range nodes {
		visit(&nodes[i])
		walk(nodes[i].Steps, visit)
	}
}

func slug(name string) string {
	var out strings.Builder
	for _, c := range strings.ToLower(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			out.WriteRune(c)
		case out.Len() > 0 && !strings.HasSuffix(out.String(), "-"):
			out.WriteByte('-')
		}
		if out.Len() >= 40 {
			break
		}
	}
	if id := strings.Trim(out.String(), "-"); id != "" {
		return id
	}
	return "step"
}
