package content

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Import asks for a new version, of the item of that name or of a new one. Exactly
// one of Path, URL and Uploads says where the bytes are.
type Import struct {
	Name         string // of the item, or its id
	Description  string // of a new item
	Purpose      string // of a new item; of one that exists it must be the same, or empty
	Tags         []string
	Manufacturer string
	Models       []string

	Command string // an application's installation command line
	Status  string // default active
	Kind    string // file or folder; default: what the source is

	Path    string // file or folder on the appliance's disk
	URL     string
	SHA256  string // of what URL gives, hex; empty: not checked
	Digest  string // or another one: "sha256:", "sha1:" or "md5:" and hex
	Size    int64  // that it must have; 0: not checked
	Uploads []Uploaded

	Unpack       bool // what URL gives is an archive: the version holds its files
	AsIs         bool // nothing is converted
	KeepOriginal bool // a disk image is kept beside its converted form

	key      string  // of a device's upload
	captured *source // its file
	owner    string  // of the uploads
}

// Uploaded is a finished upload and what the file is called in the version.
type Uploaded struct {
	ID   string
	Path string
}

// Import begins an import and returns its job.
func (s *Service) Import(_ context.Context, by Actor, in Import) (Job, error) {
	in.owner = by.Name
	in, err := s.checkImport(in)
	if err != nil {
		return Job{}, err
	}
	return s.start(kindImport, in.Name, by, func(ctx context.Context, r *running) error {
		v, err := s.take(ctx, by, in, r)
		if err != nil {
			s.sweep(context.WithoutCancel(ctx))
			return err
		}
		r.mu.Lock()
		r.job.Version = &v
		r.mu.Unlock()
		return nil
	})
}

// checkImport refuses early what could not be recorded at the end.
func (s *Service) checkImport(in Import) (Import, error) {
	status, err := ParseStatus(cmp.Or(in.Status, fleet.ContentActive))
	if err != nil {
		return in, err
	}
	in.Status = status
	if n := min(len(in.Path), 1) + min(len(in.URL), 1) + min(len(in.Uploads), 1); n != 1 {
		return in, invalid("exactly one of path, url and uploads must be given")
	}
	if in.Command != "" {
		if err := checkText("command", in.Command, maxText); err != nil {
			return in, err
		}
	}
	if in.SHA256 != "" && !blobName.MatchString(in.SHA256) {
		return in, invalid("sha256: %.80q is not a hash of 64 hex digits in lower case", in.SHA256)
	}
	if in.Kind != "" && in.Kind != KindFile && in.Kind != KindFolder {
		return in, invalid("kind: %q is unknown; use file or folder", in.Kind)
	}
	if in.URL != "" {
		if _, err := parseURL(in.URL); err != nil {
			return in, err
		}
	}
	for _, u := range in.Uploads {
		if err := wire.CheckContentPath(u.Path); err != nil {
			return in, invalid("uploads: %v", err)
		}
	}
	err = s.o.Store.View(func(tx *state.Tx) error {
		item, err := s.itemFor(tx, in)
		if err == nil && in.Command != "" && item.Purpose != tasksequence.PurposeApplication {
			err = invalid("command: only an application has an installation command line")
		}
		return err
	})
	return in, err
}

// itemFor returns the item that gets the version: the one of that name, or a new one.
func (s *Service) itemFor(tx *state.Tx, in Import) (fleet.ContentItem, error) {
	now := s.o.Now()
	item, err := itemIn(tx, in.Name)
	if err == nil {
		if in.Purpose != "" && in.Purpose != item.Purpose {
			return item, invalid("purpose: the item %q has the purpose %s, not %s", item.Name, item.Purpose, in.Purpose)
		}
		if in.Manufacturer != "" {
			item.Manufacturer = in.Manufacturer
		}
		if len(in.Models) > 0 {
			item.Models = in.Models
		}
		item.UpdatedAt = now
		return item, checkItem(item)
	}
	if !errors.Is(err, ErrNotFound) {
		return item, err
	}
	if in.Purpose == "" {
		return item, invalid("purpose: a new item needs one of %s", strings.Join(tasksequence.Purposes(), ", "))
	}
	item = fleet.ContentItem{ID: s.o.NewID(), Name: in.Name, Description: in.Description, Purpose: in.Purpose, Tags: in.Tags,
		Manufacturer: in.Manufacturer, Models: in.Models, CreatedAt: now, UpdatedAt: now}
	return item, checkItem(item)
}
