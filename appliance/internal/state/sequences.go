package state

import (
	"bytes"
	"fmt"
	"iter"
	"time"

	"slipway/fleet"
)

// Sequences is the library's table of task sequence versions, under SequenceKey.
type Sequences struct{ Table[fleet.Sequence] }

// Sequences returns the table of task sequence versions.
func (tx *Tx) Sequences() Sequences { return Sequences{Table[fleet.Sequence]{tx, &sequencesKind}} }

// SequenceKey is the key of one version of a sequence.
func SequenceKey(id string, version int) string { return fmt.Sprintf("%s:%06d", id, version) }

// ByID yields the versions of a sequence, oldest first.
func (t Sequences) ByID(id string) iter.Seq[fleet.Sequence] { return t.by("sequence", id) }

var sequencesKind = define("sequences",
	func(v fleet.Sequence) string { return SequenceKey(v.ID, v.Version) },
	func(v fleet.Sequence) sequenceRecord {
		return sequenceRecord{ID: v.ID, Version: v.Version, Name: v.Name, Description: v.Description,
			Architecture: v.Architecture, Status: v.Status, Body: v.Body, UpdatedAt: v.UpdatedAt.UTC()}
	},
	func(r sequenceRecord) fleet.Sequence {
		return fleet.Sequence{ID: r.ID, Version: r.Version, Name: r.Name, Description: r.Description,
			Architecture: r.Architecture, Status: r.Status, Body: bytes.Clone(r.Body), UpdatedAt: r.UpdatedAt}
	},
	on("sequence", func(r *sequenceRecord) []string { return one(r.ID) }))

type sequenceRecord struct {
	ID           string    `json:"id"`
	Version      int       `json:"version"`
	Name         string    `json:"name,omitempty"`
	Description  string    `json:"description,omitempty"`
	Architecture string    `json:"architecture,omitempty"`
	Status       string    `json:"status,omitempty"`
	Body         []byte    `json:"body,omitempty"` // exact bytes, as in documentRecord
	UpdatedAt    time.Time `json:"updatedAt,omitzero"`
}
