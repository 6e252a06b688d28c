package tasksequence

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Limits of the texts that are shown on screens.
const (
	MaxName        = 200  // bytes
	MaxDescription = 4000 // bytes
	MaxRetries     = 100
)

// ErrNoSequence is what a lookup of child sequences wraps when there is none.
var ErrNoSequence = errors.New("there is no such task sequence")

// Lookup returns the sequence that a reference names; version 0 asks for the
// newest active one. It wraps ErrNoSequence when there is none.
type Lookup func(Reference) (Sequence, error)

// Validate reports everything that is wrong with a sequence, each problem with the
// step, the field and a remedy: first what stands in it, and when that is right what
// it names: other sequences, content, and where its steps will run.
func Validate(s Sequence, from Sources) Problems {
	problems := Check(s, from.Catalogue)
	if len(problems) > 0 {
		return problems
	}
	doc, err := Pin(s, from)
	if err == nil {
		return foreseen(doc)
	}
	if errors.As(err, &problems) {
		return problems
	}
	return Problems{{Field: "steps", Detail: err.Error()}}
}

// Check reports what is wrong with a sequence by itself: nothing that it names is
// looked for.
func Check(s Sequence, catalogue *Catalogue) Problems {
	v := validator{catalogue: catalogue, ids: map[string]string{}}
	v.sequence(s)
	v.nodes(s.Steps, "", 0)
	return v.problems
}

type validator struct {
	catalogue *Catalogue
	ids       map[string]string // folded id to the path that has it
	count     int
	problems  Problems
}

func (v *validator) report(p Problem) {
	if len(v.problems) < maxProblems {
		v.problems = append(v.problems, p)
	}
}

func (v *validator) sequence(s Sequence) {
	check := func(bad bool, field, detail, remedy string) {
		if bad {
			v.report(Problem{Field: field, Detail: detail, Remedy: remedy})
		}
	}
	detail, remedy := unknownFormat(s.Format)
	check(s.Format != Format, "format", detail, remedy)
	check(s.ID != "" && CheckID(s.ID) != nil, "id", fmt.Sprint(CheckID(s.ID)), "Leave it out to get a new one.")
	check(s.Version < 0 || s.Version > MaxVersion, "version", fmt.Sprintf("%d is not a version", s.Version), fmt.Sprintf("Versions count from 1 to %d.", MaxVersion))
	check(!slices.Contains([]string{InDevelopment, Active, Deprecated}, s.Status), "status", fmt.Sprintf("%q is not a status", s.Status), "Use development, active or deprecated.")
	check(!slices.Contains([]string{"", "x64", "arm64"}, s.Architecture), "architecture", fmt.Sprintf("%q is not an architecture", s.Architecture), "Use x64 or arm64, or leave it out.")
	check(strings.TrimSpace(s.Name) == "", "name", "the task sequence has no name", "Technicians choose it by its name on the device's screen.")
	check(len(s.Name) > MaxName, "name", fmt.Sprintf("the name is longer than %d bytes", MaxName), "Shorten it.")
	check(hasControl(s.Name), "name", "the name holds control characters", "Remove them.")
	check(len(s.Description) > MaxDescription, "description", fmt.Sprintf("the description is longer than %d bytes", MaxDescription), "Shorten it.")
	check(len(s.Steps) == 0, "steps", "the task sequence has no steps", "Add at least one.")
	vars := NewVariables()
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		if _, twice := vars.Get(name); twice {
			check(true, "variables."+name, "this variable is given twice; case does not matter in names", "Keep one of them.")
		}
		if err := vars.Set(name, s.Variables[name]); err != nil {
			check(true, "variables."+name, err.Error(), "")
		}
	}
}

func (v *validator) nodes(nodes []Node, prefix string, depth int) {
	if depth >= MaxDepth && len(nodes) > 0 {
		v.report(Problem{Step: strings.TrimSuffix(prefix, "/"), Detail: errTooDeep.Error(), Remedy: "Put the steps into fewer groups."})
		return
	}
	for i := range nodes {
		v.count++
		if v.count == MaxNodes+1 {
			v.report(Problem{Field: "steps", Detail: errTooManyNodes.Error(), Remedy: "Split the task sequence."})
		}
		if v.count > MaxNodes {
			return
		}
		n := &nodes[i]
		path := prefix + n.ID
		if n.ID == "" {
			path = fmt.Sprintf("%s[%d]", prefix, i)
		}
		if len(path) > MaxPath {
			v.report(Problem{Step: path[:80] + "…", Name: n.Name, Field: "id", Detail: errLongPath.Error(), Remedy: "Shorten the ids of the groups around it."})
			return
		}
		v.node(n, path)
		v.nodes(n.Steps, path+"/", depth+1)
	}
}

func (v *validator) node(n *Node, path string) {
	check := nodeCheck{v: v, path: path, name: n.Name}
	if err := CheckID(n.ID); err != nil {
		check.report("id", err.Error(), "Leave it out to get one that is made from the name.")
	} else if other, twice := v.ids[strings.ToLower(n.ID)]; twice {
		check.report("id", fmt.Sprintf("the id %q is taken by %s", n.ID, other), "Give each step and group its own id.")
	} else {
		v.ids[strings.ToLower(n.ID)] = path
	}
	switch {
	case strings.TrimSpace(n.Name) == "":
		check.report("name", "the step has no name", "The name stands on the device's screen while the step runs.")
	case len(n.Name) > MaxName:
		check.report("name", fmt.Sprintf("the name is longer than %d bytes", MaxName), "Shorten it.")
	case hasControl(n.Name):
		check.report("name", "the name holds control characters", "Remove them.")
	}
	if len(n.Description) > MaxDescription {
		check.report("description", fmt.Sprintf("the description is longer than %d bytes", MaxDescription), "Shorten it.")
	}
	if n.Condition != nil {
		for _, err := range n.Condition.check() {
			check.report("condition", err.Error(), "")
		}
	}
	if n.IsGroup() {
		check.group(n)
		return
	}
	check.step(n)
}

type nodeCheck struct {
	v          *validator
	path, name string
}

func (c nodeCheck) report(field, detail, remedy string) {
	c.v.report(Problem{Step: c.path, Name: c.name, Field: field, Detail: detail, Remedy: remedy})
}

func (c nodeCheck) group(n *Node) {
	if n.Definition != "" || n.DefinitionVersion != 0 || len(n.Settings) > 0 || n.Timeout != 0 || n.Retries != 0 || n.RetryWait != 0 || n.SuccessCodes != nil {
		c.report("steps", "a group has no definition, settings, timeout, retries or success codes of its own",
			"Move them to a step, or remove \"steps\" to make this a step.")
	}
	c.environments(n.Environments, allEnvironments())
}

func (c nodeCheck) step(n *Node) {
	if n.Definition == "" {
		c.report("definition", "the step does not say what it does", "Name a step definition: "+strings.Join(c.v.catalogue.IDs(), ", ")+". A group has \"steps\" instead.")
		return
	}
	define, ok := c.v.catalogue.Find(n.Definition, n.DefinitionVersion)
	if !ok {
		c.unknownDefinition(n)
		return
	}
	c.environments(n.Environments, define.Environments)
	c.numbers(n, define)
	for _, name := range slices.Sorted(maps.Keys(n.Settings)) {
		if _, known := define.Option(name); !known {
			c.report("settings."+name, fmt.Sprintf("%s has no option %q", define.Name, name), suggestOption(name, define))
		}
	}
	for _, o := range define.Options {
		if err := checkSetting(define, o, n); err != nil {
			c.report("settings."+o.Name, err.Error(), cmp.Or(o.Help, fmt.Sprintf("Give %s a value that fits: %s.", cmp.Or(o.Label, o.Name), o.Type)))
		}
	}
}

func (c nodeCheck) unknownDefinition(n *Node) {
	if newest, exists := c.v.catalogue.Find(n.Definition, 0); exists {
		c.report("definitionVersion", fmt.Sprintf("%s has no version %d", n.Definition, n.DefinitionVersion), fmt.Sprintf("The newest here is %d: import the definition's newer version, or update this appliance.", newest.Version))
		return
	}
	c.report("definition", fmt.Sprintf("there is no step definition %q", n.Definition),
		"Import one of your own first (slipway step import); a built-in one of a newer version needs an update of this appliance. There are: "+strings.Join(c.v.catalogue.IDs(), ", ")+".")
}

func (c nodeCheck) environments(given, possible []string) {
	for _, environment := range given {
		if !slices.Contains(possible, environment) {
			c.report("environments", fmt.Sprintf("it cannot run in %q", environment), "Possible are "+strings.Join(possible, ", ")+".")
		}
	}
}

func (c nodeCheck) numbers(n *Node, define Definition) {
	if n.Timeout < 0 || n.Timeout > maxTimeout {
		c.report("timeout", fmt.Sprintf("%d is not a timeout in seconds", n.Timeout), fmt.Sprintf("Use 0 for none, up to %d.", maxTimeout))
	}
	if n.Retries < 0 || n.Retries > MaxRetries {
		c.report("retries", fmt.Sprintf("%d is not a number of retries", n.Retries), fmt.Sprintf("Use 0 to %d.", MaxRetries))
	}
	if n.RetryWait < 0 || n.RetryWait > 3600 {
		c.report("retryWait", fmt.Sprintf("%d is not a wait in seconds", n.RetryWait), "Use 0 to 3600.")
	}
	if _, both := n.Settings[optionTimeout]; both && n.Timeout != 0 {
		c.report("timeout", "the timeout is given twice", "Keep it in the step or in its settings.")
	}
	if _, both := n.Settings[optionSuccessCodes]; both && n.SuccessCodes != nil {
		c.report("successCodes", "the success codes are given twice", "Keep them in the step or in its settings.")
	}
	if define.Executor == ExecutorNone && (n.Timeout != 0 || n.Retries != 0 || n.SuccessCodes != nil) {
		c.report("definition", define.Name+" has no timeout, retries or success codes", "Give them to the steps it runs.")
	}
}

// checkSetting checks what can be known before variables are: a text that holds
// %NAME% is checked when the step starts, and a masked secret is taken as it is.
func checkSetting(d Definition, o Option, n *Node) error {
	text, given := n.Settings[o.Name]
	if !given {
		if o.Required {
			return errors.New("a value is needed")
		}
		return nil
	}
	var value Value
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	if o.Required && value.empty() {
		return errors.New("a value is needed")
	}
	value.Secret = d.secret(o, n)
	if value.hidden() {
		return nil
	}
	if o.Type != TypeVariable && o.Type != TypeSequence && o.Type != TypeContent && strings.Contains(value.String(), "%") {
		return nil
	}
	return o.check(value)
}

func suggestOption(name string, define Definition) string {
	options := map[string]bool{}
	for _, o := range define.Options {
		options[o.Name] = true
	}
	return suggest(name, options)
}

// hasControl reports characters that could forge log lines or move a screen's cursor.
func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return c < 0x20 || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 })
}
