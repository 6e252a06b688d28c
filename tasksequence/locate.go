package tasksequence

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// locate finds every member whose value has the wrong type, after decoding the
// whole has failed with err at the first of them.
func locate(text []byte, err error) Problems {
	var l locator
	l.members(text, "", func(member []byte) error { return json.Unmarshal(member, new(Sequence)) })
	if len(l.problems) == 0 {
		return Problems{jsonProblem(err)}
	}
	return l.problems
}

type locator struct{ problems Problems }

// members tries each member of an object by itself; decode reads an object that
// has only this one.
func (l *locator) members(text []byte, step string, decode func([]byte) error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		l.report(step, "", err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var nodes []json.RawMessage
		if name == "steps" && json.Unmarshal(members[name], &nodes) == nil {
			l.nodes(nodes, step)
			continue
		}
		alone, err := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if err == nil {
			err = decode(alone)
		}
		if err != nil {
			l.report(step, name, err)
		}
	}
}

func (l *locator) nodes(nodes []json.RawMessage, group string) {
	for i, text := range nodes {
		if json.Unmarshal(text, new(Node)) == nil {
			continue
		}
		var named struct{ ID, Name string }
		_ = json.Unmarshal(text, &named) // what cannot be read stays empty
		step := group + named.ID
		if named.ID == "" {
			step = fmt.Sprintf("%s[%d]", group, i)
		}
		l.members(text, step+"/", func(member []byte) error { return json.Unmarshal(member, new(Node)) })
	}
}

func (l *locator) report(step, field string, err error) {
	if len(l.problems) >= maxProblems {
		return
	}
	p := jsonProblem(err)
	if p.Field == "" {
		p.Field = field
	}
	if n := len(step); n > 0 {
		p.Step = step[:n-1]
	}
	l.problems = append(l.problems, p)
}
