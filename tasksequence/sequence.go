package tasksequence

import "encoding/json"

// Format is the document format this package reads and writes.
const Format = 1

// Status of a sequence version.
const (
	InDevelopment = "development"
	Active        = "active"
	Deprecated    = "deprecated"
)

// Sequence is one version of a task sequence.
type Sequence struct {
	Format       int              `json:"format"`
	ID           string           `json:"id"`
	Version      int              `json:"version"`
	Status       string           `json:"status"`
	Name         string           `json:"name"`
	Description  string           `json:"description,omitempty"`
	Architecture string           `json:"architecture,omitempty"` // x64, arm64, empty = any
	Variables    map[string]Value `json:"variables,omitempty"`    // defaults
	Steps        []Node           `json:"steps"`
}

// Node is a step or, when Steps is not nil, a group.
type Node struct {
	ID              string     `json:"id"` // unique within the sequence, stable across edits
	Name            string     `json:"name"`
	Description     string     `json:"description,omitempty"`
	Disabled        bool       `json:"disabled,omitempty"`
	ContinueOnError bool       `json:"continueOnError,omitempty"`
	Condition       *Condition `json:"condition,omitempty"`

	Steps []Node `json:"steps,omitzero"` // a group's members; not nil for a group, even an empty one

	Definition        string                     `json:"definition,omitempty"` // e.g. "run-command-line"
	DefinitionVersion int                        `json:"definitionVersion,omitempty"`
	Settings          map[string]json.RawMessage `json:"settings,omitempty"`
	Timeout           int                        `json:"timeout,omitempty"` // seconds, 0 = the step's setting, else no limit
	Retries           int                        `json:"retries,omitempty"`
	RetryWait         int                        `json:"retryWait,omitempty"` // seconds
	SuccessCodes      []int                      `json:"successCodes,omitempty"`
	Environments      []string                   `json:"environments,omitempty"` // linuxpe, winpe, fullos; empty = the definition's
}

// Document is what a deployment is pinned to: a sequence with every child
// sequence that Run task sequence steps name and every step definition that is
// used, so nothing can change under it.
type Document struct {
	Format      int                   `json:"format"`
	Sequence    Sequence              `json:"sequence"`
	Children    map[string]Sequence   `json:"children,omitempty"`    // by "id:version"
	Definitions map[string]Definition `json:"definitions,omitempty"` // by "id:version"; built-in ones if missing
	Content     map[string]Content    `json:"content,omitempty"`     // by "id:version": every content version that a step names
}

// Reference returns "id:version" of the sequence.
func (s Sequence) Reference() Reference { return Reference{ID: s.ID, Version: s.Version} }

// IsGroup reports whether the node is a group.
func (n *Node) IsGroup() bool { return n.Steps != nil }
