package tasksequence

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// ExecutorScript is the executor of the administrator's own definitions: it runs the
// script that the definition brings along.
const ExecutorScript = "script"

// ScriptContent is the name under which the content of a definition's script is put
// beside that of the step's options: its folder is _CONTENT-Script.
const ScriptContent = "Script"

// Script is what an own definition runs: a text, or a file of a content item. The
// options of the step are given to it as environment variables SLIPWAY_OPT_<NAME>,
// the variables as SLIPWAY_<NAME>; lines NAME=value in the file that SLIPWAY_VARIABLES
// names set variables.
type Script struct {
	Interpreter string `json:"interpreter,omitempty"` // program and its arguments; empty: /bin/sh
	Text        string `json:"text,omitempty"`
	Content     string `json:"content,omitempty"` // "id" or "id:version"
	File        string `json:"file,omitempty"`    // path in the content
}

// Limits of own definitions.
const (
	MaxDefinitionBytes = 256 << 10 // JSON text
	MaxOptions         = 100
	maxScript          = 128 << 10 // bytes of Script.Text
)

// ParseDefinition reads a definition of one's own as people write it. It is strict as
// ParseSequence is, and fills in what may be left out: format, version 0 (the next
// one), category, environments, interruption (ask a person) and executor.
func ParseDefinition(text []byte) (Definition, error) {
	if err := checkText(text, MaxDefinitionBytes); err != nil {
		return Definition{}, Problems{{Detail: err.Error()}}
	}
	if problems := checkMembers(text, definitionShape()); len(problems) > 0 {
		return Definition{}, newerOr(text, "the step definition", problems)
	}
	var d Definition
	if err := json.Unmarshal(text, &d); err != nil {
		return Definition{}, newerOr(text, "the step definition", Problems{jsonProblem(err)})
	}
	if d.Format == 0 {
		d.Format = Format
	}
	if d.Category == "" {
		d.Category = "Own"
	}
	if d.Environments == nil {
		d.Environments = ownEnvironments()
	}
	if d.Interruption == "" {
		d.Interruption = AskFirst
	}
	if d.Executor == "" {
		d.Executor = ExecutorScript
	}
	for i := range d.Options {
		if d.Options[i].Label == "" {
			d.Options[i].Label = d.Options[i].Name
		}
	}
	return d, nil
}

func definitionShape() *shape {
	leaf := func(names ...string) *shape {
		s := &shape{members: map[string]*shape{}}
		for _, name := range names {
			s.members[name] = nil
		}
		return s
	}
	option := leaf("name", "label", "type", "default", "required", "rule", "help", "unit", "purpose", "stream", "secret", "secretIf")
	option.members["rule"] = leaf("choices", "pattern", "min", "max", "longest")
	d := leaf("format", "id", "version", "name", "category", "description", "environments", "systems", "interruption", "executor", "options", "script")
	d.members["options"] = &shape{list: option}
	d.members["script"] = leaf("interpreter", "text", "content", "file")
	return d
}

// CheckOwn reports everything that is wrong with a definition of one's own.
func (d Definition) CheckOwn() Problems {
	c := definitionCheck{names: map[string]bool{}}
	detail, remedy := unknownFormat(d.Format)
	c.check(d.Format != Format, "format", detail, remedy)
	if err := CheckID(d.ID); err != nil {
		c.check(true, "id", err.Error(), "It names the kind of step for good, e.g. \"install-printer\".")
	}
	if slices.ContainsFunc(Builtin(), func(b Definition) bool { return b.ID == d.ID }) {
		c.check(true, "id", fmt.Sprintf("%s is a built-in step", d.ID), "Choose another id.")
	}
	c.check(d.Version < 0 || d.Version > MaxVersion, "version", fmt.Sprintf("%d is not a version", d.Version), "Leave it out to get the next one.")
	c.text("name", d.Name, MaxName, true)
	c.text("category", d.Category, MaxName, true)
	c.check(len(d.Description) > MaxDescription, "description", fmt.Sprintf("it is longer than %d bytes", MaxDescription), "Shorten it.")
	c.check(len(d.Environments) == 0, "environments", "the step runs nowhere", "Name linuxpe, fullos or both.")
	for _, e := range d.Environments {
		c.check(!slices.Contains(ownEnvironments(), e), "environments", fmt.Sprintf("scripts cannot run in %q", e), "Possible are "+strings.Join(ownEnvironments(), ", ")+".")
	}
	for _, system := range d.Systems {
		c.check(!slices.Contains([]string{Linux, Windows}, system), "systems", fmt.Sprintf("%q is not a system", system), "Possible are linux and windows; leave it out for both.")
	}
	c.check(len(d.Systems) > 0 && !slices.Contains(d.Environments, FullOS), "systems", "it is about the environment fullos, in which the step does not run", "Leave it out.")
	c.check(!slices.Contains([]Interruption{RunAgain, AskFirst}, d.Interruption), "interruption", fmt.Sprintf("%q is not known", d.Interruption), "Use run-again or ask.")
	c.check(d.Executor != ExecutorScript, "executor", fmt.Sprintf("%q cannot be chosen", d.Executor), "Leave it out: own steps run a script.")
	c.script(d.Script)
	c.check(len(d.Options) > MaxOptions, "options", fmt.Sprintf("there are more than %d", MaxOptions), "Leave some out.")
	for i := range min(len(d.Options), MaxOptions) {
		c.option(d, i)
	}
	return c.problems
}

type definitionCheck struct {
	problems Problems
	names    map[string]bool
}

func (c *definitionCheck) check(bad bool, field, detail, remedy string) {
	if bad && len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{Field: field, Detail: detail, Remedy: remedy})
	}
}

func (c *definitionCheck) text(field, text string, longest int, needed bool) {
	c.check(needed && strings.TrimSpace(text) == "", field, "it is missing", "It is what people see.")
	c.check(len(text) > longest, field, fmt.Sprintf("it is longer than %d bytes", longest), "Shorten it.")
	c.check(hasControl(text), field, "it holds control characters", "Remove them.")
}

func (c *definitionCheck) script(s *Script) {
	if s == nil {
		c.check(true, "script", "the step has nothing to run", `Give it a "script" with a "text", or with a "content" and a "file".`)
		return
	}
	c.check((s.Text == "") == (s.Content == ""), "script", "exactly one of text and content is needed", "Keep one of them.")
	c.check(len(s.Text) > maxScript, "script.text", fmt.Sprintf("it is longer than %d bytes", maxScript), "Put it into a content item.")
	c.check(hasControl(s.Interpreter), "script.interpreter", "it holds control characters", "Remove them.")
	if s.Content == "" {
		c.check(s.File != "", "script.file", "a file goes with content", "Leave it out, or name the content.")
		return
	}
	if _, err := ParseReference(s.Content); err != nil {
		c.check(true, "script.content", err.Error(), "")
	}
	clean := s.File != "" && path.Clean(s.File) == s.File && !path.IsAbs(s.File) && s.File != ".." && !strings.HasPrefix(s.File, "../")
	c.check(!clean || hasControl(s.File), "script.file", fmt.Sprintf("%q is not a path in the content", s.File), `Name a file below its folder, e.g. "bin/install.sh".`)
}

func (c *definitionCheck) option(d Definition, i int) {
	o := d.Options[i]
	at := func(member string) string { return fmt.Sprintf("options[%d].%s", i, member) }
	if err := CheckName(o.Name); err != nil || IsReadOnly(o.Name) {
		c.check(true, at("name"), fmt.Sprintf("%q cannot be the name of an option", o.Name), "Use letters, digits, _, - and ., beginning with a letter.")
	}
	folded := EnvironmentName(o.Name)
	c.check(c.names[folded], at("name"), fmt.Sprintf("there are two options that the script would see as SLIPWAY_OPT_%s", folded), "Rename one of them.")
	c.names[folded] = true
	c.check(folded == EnvironmentName(ScriptContent), at("name"), "this name is kept for the script itself", "Choose another one.")
	c.text(at("label"), o.Label, MaxName, true)
	c.check(len(o.Help) > MaxDescription, at("help"), fmt.Sprintf("it is longer than %d bytes", MaxDescription), "Shorten it.")
	c.check(!slices.Contains(optionTypes(), o.Type), at("type"), fmt.Sprintf("%q is not a type", o.Type), fmt.Sprintf("Use one of %v.", optionTypes()))
	c.check(o.Purpose != "" && (o.Type != TypeContent || !slices.Contains(Purposes(), o.Purpose)), at("purpose"), "it goes with the type content, and is one of "+strings.Join(Purposes(), ", "), "")
	c.check(o.Stream, at("stream"), "a script gets its content as a folder", "Leave it out.")
	if o.SecretIf != "" {
		by, ok := d.Option(o.SecretIf)
		c.check(!ok || by.Type != TypeBoolean, at("secretIf"), fmt.Sprintf("%q is not a boolean option of the step", o.SecretIf), "")
	}
	if err := o.Rule.check(o.Type); err != nil {
		c.check(true, at("rule"), err.Error(), "")
	} else if err := o.checkDefault(); err != nil {
		c.check(true, at("default"), err.Error(), "")
	}
}

// optionTypes are the types that options of own definitions may have.
func optionTypes() []OptionType {
	return []OptionType{TypeText, TypeLines, TypeBoolean, TypeInteger, TypeIntegers, TypeChoice, TypeValue, TypeVariable, TypeContent}
}

func (r *Rule) check(of OptionType) error {
	if r == nil {
		if of == TypeChoice {
			return errors.New("a choice needs its choices")
		}
		return nil
	}
	numbers := of == TypeInteger || of == TypeIntegers
	switch {
	case (of == TypeChoice) != (len(r.Choices) > 0):
		return errors.New("choices and the type choice go together")
	case (r.Min != nil || r.Max != nil) && !numbers:
		return errors.New("min and max are for whole numbers")
	case r.Min != nil && r.Max != nil && *r.Min > *r.Max:
		return errors.New("min is above max")
	case r.Longest < 0:
		return errors.New("longest is a number of bytes")
	case len(r.Pattern) > maxPattern:
		return fmt.Errorf("a pattern may be %d bytes long at most", maxPattern)
	}
	if _, err := regexp.Compile(r.Pattern); err != nil {
		return fmt.Errorf("the pattern cannot be read: %w", err)
	}
	return nil
}

// checkDefault checks a default as a setting would be.
func (o Option) checkDefault() error {
	if len(o.Default) == 0 {
		return nil
	}
	n := &Node{Settings: map[string]json.RawMessage{o.Name: o.Default}}
	o.Required = false
	return checkSetting(Definition{Options: []Option{o}}, o, n)
}

// EnvironmentName is how a variable or an option is called in the environment of a
// command: upper case, "-" and "." as "_".
func EnvironmentName(name string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(name))
}
