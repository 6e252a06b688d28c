package state

import (
	"iter"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// ContentItems is the table of content items, under their id.
type ContentItems struct{ Table[fleet.ContentItem] }

// ContentItems returns the table of content items.
func (tx *Tx) ContentItems() ContentItems {
	return ContentItems{Table[fleet.ContentItem]{tx, &contentItemsKind}}
}

// ByName yields the items of a name, whatever its case: at most one.
func (t ContentItems) ByName(name string) iter.Seq[fleet.ContentItem] {
	return t.by("name", strings.ToLower(name))
}

var contentItemsKind = define("contentitems",
	func(v fleet.ContentItem) string { return v.ID },
	func(v fleet.ContentItem) contentItemRecord {
		return contentItemRecord{ID: v.ID, Name: v.Name, Description: v.Description, Purpose: v.Purpose, Tags: v.Tags,
			Manufacturer: v.Manufacturer, Models: v.Models, CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC()}
	},
	func(r contentItemRecord) fleet.ContentItem {
		return fleet.ContentItem{ID: r.ID, Name: r.Name, Description: r.Description, Purpose: r.Purpose, Tags: slices.Clone(r.Tags),
			Manufacturer: r.Manufacturer, Models: slices.Clone(r.Models), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
	},
	on("name", func(r *contentItemRecord) []string { return one(strings.ToLower(r.Name)) }))

type contentItemRecord struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Description  string    `json:"description,omitempty"`
	Purpose      string    `json:"purpose,omitempty"`
	Tags         []string  `json:"tags,omitempty"`
	Manufacturer string    `json:"manufacturer,omitempty"`
	Models       []string  `json:"models,omitempty"`
	CreatedAt    time.Time `json:"createdAt,omitzero"`
	UpdatedAt    time.Time `json:"updatedAt,omitzero"`
}
