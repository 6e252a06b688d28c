package state

import (
	"bytes"
	"fmt"
	"iter"
	"time"

	"slipway/fleet"
)

// Definitions is the table of the administrator's own step definitions, under
// DefinitionKey.
type Definitions struct{ Table[fleet.StepDefinition] }

// Definitions returns the table of step definitions.
func (tx *Tx) Definitions() Definitions {
	return Definitions{Table[fleet.StepDefinition]{tx, &definitionsKind}}
}

// DefinitionKey is the key of one version of a step definition.
func DefinitionKey(id string, version int) string { return fmt.Sprintf("%s:%06d", id, version) }

// ByID yields the versions of a definition, oldest first.
func (t Definitions) ByID(id string) iter.Seq[fleet.StepDefinition] { return t.by("definition", id) }

var definitionsKind = define("definitions",
	func(v fleet.StepDefinition) string { return DefinitionKey(v.ID, v.Version) },
	func(v fleet.StepDefinition) definitionRecord {
		return definitionRecord{ID: v.ID, Version: v.Version, Name: v.Name, Body: v.Body, UpdatedAt: v.UpdatedAt.UTC()}
	},
	func(r definitionRecord) fleet.StepDefinition {
		return fleet.StepDefinition{ID: r.ID, Version: r.Version, Name: r.Name, Body: bytes.Clone(r.Body), UpdatedAt: r.UpdatedAt}
	},
	on("definition", func(r *definitionRecord) []string { return one(r.ID) }))

type definitionRecord struct {
	ID        string    `json:"id"`
	Version   int       `json:"version"`
	Name      string    `json:"name,omitempty"`
	Body      []byte    `json:"body,omitempty"` // exact bytes, as in documentRecord
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
}
