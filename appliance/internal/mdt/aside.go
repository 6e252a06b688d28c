package mdt

import (
	"encoding/json"
	"fmt"
	"strings"

	ts "slipway/tasksequence"
)

// settle validates a sequence. Steps that cannot be are put aside: each becomes an empty
// group that is switched off and tells what was meant, so that the rest can be imported
// and nothing is lost. What was wrong is listed.
func (im *importer) settle(s *Sequence, from ts.Sources) {
	for range ts.MaxNodes {
		problems := ts.Validate(s.Document, from).Sure()
		if len(problems) == 0 {
			break
		}
		if !aside(s.Document.Steps, "", problems) {
			s.Problems, s.Refused = append(s.Problems, problems...), true
			im.note("task sequence "+s.ID, "", Left, fmt.Sprintf("it cannot be imported: %v", problems))
			break
		}
		s.Problems = append(s.Problems, problems...)
		for _, p := range problems {
			im.note("task sequence "+s.ID, "step "+p.Step, Changed, "put aside, an empty group tells what was meant: "+p.Detail)
		}
	}
	plan := 0
	count(s.Document.Steps, &plan)
	s.Steps = plan
}

func count(nodes []ts.Node, n *int) {
	for i := range nodes {
		if !nodes[i].IsGroup() {
			*n++
		}
		count(nodes[i].Steps, n)
	}
}

// aside puts the steps that problems name aside; false when none is named.
func aside(nodes []ts.Node, prefix string, problems ts.Problems) bool {
	any := false
	for i := range nodes {
		n := &nodes[i]
		at := prefix + n.ID
		var why []string
		for _, p := range problems {
			if p.Step == at {
				why = append(why, p.Detail)
			}
		}
		if len(why) > 0 && n.Definition != "" {
			*n = placeholder(n.ID, n.Name, n.Description, fmt.Sprintf("Meant is the step %s with %s. Why it is not here: %s", n.Definition, shown(n), strings.Join(why, "; ")))
			any = true
			continue
		}
		if len(why) > 0 && n.IsGroup() && !n.Disabled {
			n.Disabled, n.Condition = true, nil
			n.Description = bounded(strings.TrimSpace(n.Description+"\nSwitched off by the import from MDT: "+strings.Join(why, "; ")), ts.MaxDescription)
			any = true
		}
		if aside(n.Steps, at+"/", problems) {
			any = true
		}
	}
	return any
}

// shown are a step's settings without secrets.
func shown(n *ts.Node) string {
	visible := map[string]json.RawMessage{}
	for name, value := range n.Settings {
		if isSecret(name) || string(n.Settings["Secret"]) == "true" && name == "VariableValue" {
			value = json.RawMessage(`"` + ts.Masked + `"`)
		}
		visible[name] = value
	}
	text, err := json.Marshal(visible)
	if err != nil {
		return "its settings"
	}
	return string(text)
}

// placeholder is an empty group that is switched off and tells what was there.
func placeholder(id, name, description, text string) ts.Node {
	return ts.Node{ID: id, Name: stepName(name, "Step"), Description: bounded(strings.TrimSpace(description+"\nNot carried over from MDT: "+text), ts.MaxDescription), Disabled: true, Steps: []ts.Node{}}
}
