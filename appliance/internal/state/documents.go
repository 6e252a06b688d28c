package state

import (
	"bytes"

	"slipway/fleet"
)

// Documents is the table of immutable documents, under their hash.
func (tx *Tx) Documents() Table[fleet.Document] { return Table[fleet.Document]{tx, &documentsKind} }

var documentsKind = define("documents",
	func(v fleet.Document) string { return v.Hash },
	func(v fleet.Document) documentRecord { return documentRecord{Hash: v.Hash, Body: v.Body} },
	func(r documentRecord) fleet.Document {
		return fleet.Document{Hash: r.Hash, Body: bytes.Clone(r.Body)}
	})

// documentRecord keeps the body's exact bytes, since the hash is over them:
// encoding/json would compact and escape JSON within JSON.
type documentRecord struct {
	Hash string `json:"hash"`
	Body []byte `json:"body"`
}
