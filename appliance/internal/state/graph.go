package state

import (
	"bytes"

	"slipway/fleet"
)

// Graph holds the one record of settings for Microsoft Graph, under Self.
func (tx *Tx) Graph() Table[fleet.Graph] { return Table[fleet.Graph]{tx, &graphKind} }

var graphKind = define("graph",
	func(fleet.Graph) string { return Self },
	func(v fleet.Graph) graphRecord { return graphRecord(v) },
	func(r graphRecord) fleet.Graph {
		v := fleet.Graph(r)
		v.SealedSecret, v.SealedKey = bytes.Clone(r.SealedSecret), bytes.Clone(r.SealedKey)
		return v
	})

type graphRecord struct {
	Tenant       string `json:"tenant,omitempty"`
	ClientID     string `json:"clientId,omitempty"`
	SealedSecret []byte `json:"sealedSecret,omitempty"`
	Certificate  string `json:"certificate,omitempty"`
	SealedKey    []byte `json:"sealedKey,omitempty"`
	Authority    string `json:"authority,omitempty"`
	Endpoint     string `json:"endpoint,omitempty"`
}
