package tasksequence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// shape says which members an object of a sequence may have, and what stands
// behind them. A nil shape is not looked into.
type shape struct {
	members map[string]*shape
	list    *shape // the value is a list of these
	any     *shape // the object may have any member, each of this shape
}

func sequenceShape() *shape {
	condition := &shape{members: map[string]*shape{"variable": nil}}
	for _, op := range Operators() {
		condition.members[string(op)] = nil
	}
	conditions := &shape{list: condition}
	condition.members["and"], condition.members["or"], condition.members["not"] = conditions, conditions, condition

	node := &shape{members: map[string]*shape{"condition": condition, "settings": {any: &shape{}}}}
	for _, name := range []string{"id", "name", "description", "disabled", "continueOnError", "definition", "definitionVersion",
		"timeout", "retries", "retryWait", "successCodes", "environments"} {
		node.members[name] = nil
	}
	nodes := &shape{list: node}
	node.members["steps"] = nodes

	sequence := &shape{members: map[string]*shape{"steps": nodes, "variables": {any: &shape{}}}}
	for _, name := range []string{"format", "id", "version", "status", "name", "description", "architecture"} {
		sequence.members[name] = nil
	}
	return sequence
}

// checkMembers reports every unknown or repeated member, with the place where it
// stands. encoding/json would take the last of two equal members and ignore case.
func checkMembers(text []byte, of *shape) Problems {
	c := memberCheck{dec: json.NewDecoder(bytes.NewReader(text))}
	c.dec.UseNumber()
	err := c.value(of, "")
	if err == nil {
		if _, err = c.dec.Token(); errors.Is(err, io.EOF) {
			return c.problems
		} else if err == nil {
			err = errors.New("something follows after the end")
		}
	}
	return append(c.problems, jsonProblem(err))
}

type memberCheck struct {
	dec      *json.Decoder
	problems Problems
}

func (c *memberCheck) value(s *shape, where string) error {
	token, err := c.dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return c.object(s, where)
	case json.Delim('['):
		var item *shape
		if s != nil {
			item = s.list
		}
		for i := 0; c.dec.More(); i++ {
			if err := c.value(item, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
		_, err = c.dec.Token()
		return err
	}
	return nil
}

func (c *memberCheck) object(s *shape, where string) error {
	seen := map[string]bool{}
	for c.dec.More() {
		token, err := c.dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		at := strings.TrimPrefix(where+"."+name, ".")
		if seen[name] {
			c.report(Problem{Field: at, Detail: "this member stands here twice", Remedy: "Keep one of them."})
		}
		seen[name] = true
		if err := c.value(c.member(s, name, at), at); err != nil {
			return err
		}
	}
	_, err := c.dec.Token()
	return err
}

// member returns the shape behind a name, and reports a name that is not known.
func (c *memberCheck) member(s *shape, name, at string) *shape {
	switch {
	case s == nil:
		return nil
	case s.any != nil:
		return s.any
	case s.members == nil:
		return nil
	}
	inner, known := s.members[name]
	if !known {
		c.report(Problem{Field: at, Detail: "unknown member", Remedy: suggest(name, s.members)})
	}
	return inner
}

func (c *memberCheck) report(p Problem) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, p)
	}
}

// suggest names the member that was probably meant, or all there are.
func suggest[T any](name string, members map[string]T) string {
	names := slices.Sorted(maps.Keys(members))
	closest, best := "", 3
	for _, known := range names {
		if d := Distance(strings.ToLower(known), strings.ToLower(name)); d < best {
			closest, best = known, d
		}
	}
	if closest != "" {
		return fmt.Sprintf("Did you mean %q?", closest)
	}
	return "Known here: " + strings.Join(names, ", ") + "."
}
