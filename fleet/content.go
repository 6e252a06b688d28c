package fleet

import (
	"fmt"
	"time"
)

// ContentItem is something that devices fetch: an operating system image, an
// application, a driver pack or other files. What it holds stands in its versions.
type ContentItem struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"` // unique, whatever the case
	Description  string    `json:"description,omitempty"`
	Purpose      string    `json:"purpose"` // application, driverpack, operatingsystem, other
	Tags         []string  `json:"tags,omitempty"`
	Manufacturer string    `json:"manufacturer,omitempty"` // a driver pack's
	Models       []string  `json:"models,omitempty"`
	CreatedAt    time.Time `json:"createdAt"`
	UpdatedAt    time.Time `json:"updatedAt"`
}

// The status of a version, as of task sequences. What a version holds never changes.
const (
	ContentInDevelopment = "development" // found only by its number
	ContentActive        = "active"
	ContentDeprecated    = "deprecated" // not found by deployments that begin
)

// ContentVersion is one version of an item. Its manifest, a blob of its own, lists
// the files.
type ContentVersion struct {
	Item      string    `json:"item"`
	Version   int       `json:"version"`
	Status    string    `json:"status"`
	Kind      string    `json:"kind"` // file or folder
	Command   string    `json:"command,omitempty"`
	Manifest  string    `json:"manifest"` // SHA-256 of the manifest, hex
	Files     int       `json:"files"`
	Size      int64     `json:"size"`             // bytes of all files
	Source    string    `json:"source,omitempty"` // where it came from, for people
	Notes     string    `json:"notes,omitempty"`  // what intake did, for people
	Key       string    `json:"key,omitempty"`    // of the upload that made it: committing it again makes no second one
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy,omitempty"`
}

// Reference is "item:version".
func (v ContentVersion) Reference() string { return fmt.Sprintf("%s:%d", v.Item, v.Version) }

// ContentPin is the answer that a deployment got to a query for content. The same
// query gets it again, and the deployment's device reaches the versions in it.
type ContentPin struct {
	Deployment string    `json:"deployment"`
	Query      string    `json:"query"`    // hash of the query
	Versions   []string  `json:"versions"` // "item:version", in the order of the answer
	At         time.Time `json:"at"`
}
