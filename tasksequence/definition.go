package tasksequence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The environments a step may run in.
const (
	LinuxPE = "linuxpe" // the Linux boot image
	WinPE   = "winpe"   // the Windows boot image
	FullOS  = "fullos"  // an installed operating system
)

// The systems that an installed operating system may be.
const (
	Linux   = "linux"
	Windows = "windows"
)

// Interruption says what follows when a step was running while the device lost
// power or the agent was restarted.
type Interruption string

// The rules of interruption.
const (
	RunAgain    Interruption = "run-again"    // harmless to do twice
	VerifyFirst Interruption = "verify-first" // the executor looks what is done already
	AskFirst    Interruption = "ask"          // a person decides
)

// ExecutorNone marks definitions that the interpreter itself carries out.
const ExecutorNone = ""

// Definition describes a kind of step. It is a versioned document; a deployment
// is pinned to the versions its sequence used at the start.
type Definition struct {
	Format       int          `json:"format"`
	ID           string       `json:"id"` // e.g. "run-command-line"
	Version      int          `json:"version"`
	Name         string       `json:"name"`
	Category     string       `json:"category"` // where "Add" shows it
	Description  string       `json:"description"`
	Environments []string     `json:"environments"`
	Systems      []string     `json:"systems,omitempty"` // in fullos: the systems in which it works; empty: all
	Interruption Interruption `json:"interruption"`
	Executor     string       `json:"executor,omitempty"` // the agent's executor; empty: the interpreter does it
	Options      []Option     `json:"options,omitempty"`
	Script       *Script      `json:"script,omitempty"` // of the executor "script": own definitions
}

// OptionType is the kind of value an option takes.
type OptionType string

// The types of options. %NAME% is replaced in all but variable, sequence and content.
const (
	TypeText     OptionType = "text"
	TypeLines    OptionType = "lines"    // text of several lines
	TypeBoolean  OptionType = "boolean"  // true or false
	TypeInteger  OptionType = "integer"  //
	TypeIntegers OptionType = "integers" // a list of integers
	TypeChoice   OptionType = "choice"   // one of Rule.Choices
	TypeValue    OptionType = "value"    // a text or a list of texts
	TypeVariable OptionType = "variable" // the name of a variable that the step sets
	TypeSequence OptionType = "sequence" // "id" or "id:version" of another sequence
	TypeContent  OptionType = "content"  // "id" or "id:version" of a content item
)

// Option is one input of a step.
type Option struct {
	Name     string          `json:"name"`
	Label    string          `json:"label"`
	Type     OptionType      `json:"type"`
	Default  json.RawMessage `json:"default,omitempty"`
	Required bool            `json:"required,omitempty"`
	Rule     *Rule           `json:"rule,omitempty"`
	Help     string          `json:"help,omitempty"`
	Unit     string          `json:"unit,omitempty"` // shown beside the field, e.g. "seconds"

	// Of a content option: the purpose the item must have (empty: any), and whether
	// the executor reads the files itself. If not, they are put into a folder before
	// the step, and _CONTENT-<option> names it.
	Purpose string `json:"purpose,omitempty"`
	Stream  bool   `json:"stream,omitempty"`

	// A secret setting is sealed where it is kept and masked where it is shown.
	Secret   bool   `json:"secret,omitempty"`   // always
	SecretIf string `json:"secretIf,omitempty"` // while this boolean option of the step is not false
}

// Rule narrows what an option accepts.
type Rule struct {
	Choices []string `json:"choices,omitempty"`
	Pattern string   `json:"pattern,omitempty"` // regular expression (RE2) for the whole text
	Min     *int     `json:"min,omitempty"`
	Max     *int     `json:"max,omitempty"`
	Longest int      `json:"longest,omitempty"` // bytes
}

// Key returns "id:version", under which documents hold their definitions.
func (d Definition) Key() string { return fmt.Sprintf("%s:%d", d.ID, d.Version) }

// Option returns the option with this name.
func (d Definition) Option(name string) (Option, bool) {
	for _, o := range d.Options {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

func allEnvironments() []string { return []string{LinuxPE, WinPE, FullOS} }

// ownEnvironments are those in which steps of one's own run.
func ownEnvironments() []string { return []string{LinuxPE, FullOS} }

// onlyLinux is for steps that work in an installed Linux and in no installed Windows.
func onlyLinux() []string { return []string{Linux} }

// onlyWindows is for steps that work in an installed Windows and in no installed Linux.
func onlyWindows() []string { return []string{Windows} }

// RunsIn says whether the step works in an environment; of an installed system that is
// Linux or Windows also whether in that one.
func (d Definition) RunsIn(environment, system string) bool {
	return slices.Contains(d.Environments, environment) &&
		(environment != FullOS || system == "" || len(d.Systems) == 0 || slices.Contains(d.Systems, system))
}

// soleSystem is the one installed system in which it works; empty when there are more.
func (d Definition) soleSystem() string {
	if len(d.Systems) == 1 {
		return d.Systems[0]
	}
	return ""
}

// Where tells people where the step runs.
func (d Definition) Where() string {
	names := slices.Clone(d.Environments)
	for i, name := range names {
		if system := d.soleSystem(); name == FullOS && system != "" {
			names[i] = fmt.Sprintf("%s (%s)", name, systemName(system))
		}
	}
	return strings.Join(names, ", ")
}

func between(least, most int) *Rule { return &Rule{Min: &least, Max: &most} }
