package state

import (
	"iter"
	"slices"
	"time"

	"slipway/fleet"
)

// ContentPins is the table of answered queries for content, under ContentPinKey.
type ContentPins struct{ Table[fleet.ContentPin] }

// ContentPins returns the table of answered queries.
func (tx *Tx) ContentPins() ContentPins {
	return ContentPins{Table[fleet.ContentPin]{tx, &contentPinsKind}}
}

// ContentPinKey is the key of a deployment's query.
func ContentPinKey(deployment, query string) string { return deployment + "/" + query }

// ByDeployment yields what was answered to a deployment.
func (t ContentPins) ByDeployment(id string) iter.Seq[fleet.ContentPin] {
	return t.by("deployment", id)
}

var contentPinsKind = define("contentpins",
	func(v fleet.ContentPin) string { return ContentPinKey(v.Deployment, v.Query) },
	func(v fleet.ContentPin) contentPinRecord {
		return contentPinRecord{Deployment: v.Deployment, Query: v.Query, Versions: v.Versions, At: v.At.UTC()}
	},
	func(r contentPinRecord) fleet.ContentPin {
		return fleet.ContentPin{Deployment: r.Deployment, Query: r.Query, Versions: slices.Clone(r.Versions), At: r.At}
	},
	on("deployment", func(r *contentPinRecord) []string { return one(r.Deployment) }))

type contentPinRecord struct {
	Deployment string    `json:"deployment"`
	Query      string    `json:"query"`
	Versions   []string  `json:"versions,omitempty"`
	At         time.Time `json:"at,omitzero"`
}
