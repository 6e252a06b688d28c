package tasksequence

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a sequence.
type Problem struct {
	Step   string `json:"step,omitempty"`  // path of the node, empty for the sequence itself
	Name   string `json:"name,omitempty"`  // the node's name
	Field  string `json:"field,omitempty"` // e.g. "condition" or "settings.Command"
	Detail string `json:"detail"`          // what is wrong
	Remedy string `json:"remedy,omitempty"`

	Warning bool `json:"warning,omitempty"` // it may not come to pass; the sequence can be used
}

// Problems is the error that reading and validating return: all at once.
type Problems []Problem

// maxProblems bounds how many problems are reported of one sequence.
const maxProblems = 200

func (p Problem) String() string {
	var out strings.Builder
	switch {
	case p.Name != "" && p.Step != "":
		fmt.Fprintf(&out, "step %s (%s): ", p.Step, p.Name)
	case p.Step != "":
		fmt.Fprintf(&out, "step %s: ", p.Step)
	}
	if p.Field != "" {
		fmt.Fprintf(&out, "%s: ", p.Field)
	}
	out.WriteString(p.Detail)
	if p.Remedy != "" {
		fmt.Fprintf(&out, ". %s", p.Remedy)
	}
	return out.String()
}

// Error returns all problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Sure are the problems that are no warnings.
func (p Problems) Sure() Problems {
	return slices.DeleteFunc(slices.Clone(p), func(p Problem) bool { return p.Warning })
}

// Err returns p as an error, or nil when there is none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
