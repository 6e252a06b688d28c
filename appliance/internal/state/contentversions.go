package state

import (
	"fmt"
	"iter"
	"time"

	"slipway/fleet"
)

// ContentVersions is the table of content versions, under ContentVersionKey. What
// they hold stands in blobs, outside the state.
type ContentVersions struct{ Table[fleet.ContentVersion] }

// ContentVersions returns the table of content versions.
func (tx *Tx) ContentVersions() ContentVersions {
	return ContentVersions{Table[fleet.ContentVersion]{tx, &contentVersionsKind}}
}

// ContentVersionKey is the key of one version of an item.
func ContentVersionKey(item string, version int) string { return fmt.Sprintf("%s:%06d", item, version) }

// ByItem yields the versions of an item, oldest first.
func (t ContentVersions) ByItem(id string) iter.Seq[fleet.ContentVersion] { return t.by("item", id) }

// ByKey yields the version that an upload made.
func (t ContentVersions) ByKey(key string) iter.Seq[fleet.ContentVersion] { return t.by("key", key) }

var contentVersionsKind = define("contentversions",
	func(v fleet.ContentVersion) string { return ContentVersionKey(v.Item, v.Version) },
	func(v fleet.ContentVersion) contentVersionRecord {
		return contentVersionRecord{Item: v.Item, Version: v.Version, Status: v.Status, Kind: v.Kind, Command: v.Command, Manifest: v.Manifest,
			Files: v.Files, Size: v.Size, Source: v.Source, Notes: v.Notes, Key: v.Key, CreatedAt: v.CreatedAt.UTC(), CreatedBy: v.CreatedBy}
	},
	func(r contentVersionRecord) fleet.ContentVersion {
		return fleet.ContentVersion{Item: r.Item, Version: r.Version, Status: r.Status, Kind: r.Kind, Command: r.Command, Manifest: r.Manifest,
			Files: r.Files, Size: r.Size, Source: r.Source, Notes: r.Notes, Key: r.Key, CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy}
	},
	on("item", func(r *contentVersionRecord) []string { return one(r.Item) }),
	on("key", func(r *contentVersionRecord) []string { return one(r.Key) }))

type contentVersionRecord struct {
	Item      string    `json:"item"`
	Version   int       `json:"version"`
	Status    string    `json:"status,omitempty"`
	Kind      string    `json:"kind,omitempty"`
	Command   string    `json:"command,omitempty"`
	Manifest  string    `json:"manifest,omitempty"`
	Files     int       `json:"files,omitempty"`
	Size      int64     `json:"size,omitempty"`
	Source    string    `json:"source,omitempty"`
	Notes     string    `json:"notes,omitempty"`
	Key       string    `json:"key,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	CreatedBy string    `json:"createdBy,omitempty"`
}
