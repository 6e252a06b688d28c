package state

import (
	"slices"
	"time"

	"slipway/fleet"
)

// Media is the table of media that were made of boot images, under their id.
func (tx *Tx) Media() Table[fleet.Medium] { return Table[fleet.Medium]{tx, &mediaKind} }

var mediaKind = define("media",
	func(v fleet.Medium) string { return v.ID },
	func(v fleet.Medium) mediumRecord {
		return mediumRecord{ID: v.ID, Kind: v.Kind, Image: v.Image, CASet: v.CASet, Servers: v.Servers, Size: v.Size, SHA256: v.SHA256,
			MadeAt: v.MadeAt.UTC(), MadeBy: v.MadeBy}
	},
	func(r mediumRecord) fleet.Medium {
		return fleet.Medium{ID: r.ID, Kind: r.Kind, Image: r.Image, CASet: slices.Clone(r.CASet), Servers: slices.Clone(r.Servers),
			Size: r.Size, SHA256: r.SHA256, MadeAt: r.MadeAt, MadeBy: r.MadeBy}
	})

type mediumRecord struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind,omitempty"`
	Image   string    `json:"image,omitempty"`
	CASet   []string  `json:"caSet,omitempty"`
	Servers []string  `json:"servers,omitempty"`
	Size    int64     `json:"size,omitempty"`
	SHA256  string    `json:"sha256,omitempty"`
	MadeAt  time.Time `json:"madeAt,omitzero"`
	MadeBy  string    `json:"madeBy,omitempty"`
}
