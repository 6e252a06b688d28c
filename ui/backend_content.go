package ui

import (
	"context"
	"net/http"
	"time"

	"slipway/fleet"
)

// Content is what devices fetch: images, applications, driver packs, other files.
type Content interface {
	// List returns all items with their versions, newest first.
	List(ctx context.Context) ([]ContentItem, error)
	// Get finds an item by its id. ErrNotFound.
	Get(ctx context.Context, id string) (ContentItem, error)
	// Files are those of a version, in the order in which devices fetch them.
	Files(ctx context.Context, id string, version int) ([]ContentFile, error)
	// Add begins to take in a new version and returns the job's id at once.
	// *FieldError ("name", "purpose", "url", ...), *Refused.
	Add(ctx context.Context, by Actor, a AddContent) (job string, err error)
	// Jobs are those under way and the recent ones, newest first.
	Jobs(ctx context.Context) ([]ContentJob, error)
	// Change sets all that can be changed of an item. *FieldError.
	Change(ctx context.Context, by Actor, id string, c ContentChange) error
	// SetStatus changes the status of a version. *FieldError ("status").
	SetStatus(ctx context.Context, by Actor, id string, version int, status string) error
	// Delete removes a version, 0 the whole item. *Refused says what needs it.
	Delete(ctx context.Context, by Actor, id string, version int) error
	// ServeUpload speaks tus 1.0 below UploadsPath. The request was admitted and is
	// the account's: nobody reaches the uploads of others.
	ServeUpload(w http.ResponseWriter, r *http.Request, account string)
}

// UploadsPath is where browsers send files to.
const UploadsPath = "/content/uploads"

// ContentItem is an item with its versions, newest first.
type ContentItem struct {
	fleet.ContentItem
	Versions []fleet.ContentVersion
}

// ContentFile is one file of a version.
type ContentFile struct {
	Path   string
	Size   int64
	SHA256 string
}

// ContentChange is what people write about an item.
type ContentChange struct {
	Name, Description, Manufacturer string
	Tags, Models                    []string
}

// AddContent is a new version. Its bytes come from finished uploads, from a URL or from
// a SourceFile.
type AddContent struct {
	Name    string // of the item, or its id; a new name makes a new item
	Purpose string // of a new item
	Status  string
	Command string
	ContentChange
	URL     string
	Source  string // name of a SourceFile
	Uploads []Upload
}

// Upload is a finished upload and what the file is called in the version.
type Upload struct{ ID, Path string }

// ContentJob is work on content that takes long.
type ContentJob struct {
	ID, Kind, Name, Stage string
	Done, Total           int64  // bytes; total 0: not known
	State                 string // running, done, failed
	Error                 string
	Item                  string // what it made, once done
	StartedAt             time.Time
}
