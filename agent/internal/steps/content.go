package steps

import (
	"context"
	"fmt"
	"io"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Content is how executors reach content items. Every byte is checked against the
// version's manifest before it is handed out; an appliance that is away is waited
// for, and a transfer goes on where it was.
type Content interface {
	// Manifest says what a version holds.
	Manifest(ctx context.Context, version tasksequence.Reference) (wire.ContentManifest, error)
	// Open streams one file from its beginning.
	Open(ctx context.Context, version tasksequence.Reference, path string) (io.ReadCloser, error)
	// Folder puts all files of a version below dir, which exists.
	Folder(ctx context.Context, version tasksequence.Reference, dir string, progress func(done, total int64)) error
	// Find resolves content that the task sequence does not name itself.
	Find(ctx context.Context, q wire.ContentQuery) ([]wire.ContentVersion, error)
	// Upload begins a new version of one file, or goes on with the one of that key
	// from its beginning.
	Upload(ctx context.Context, u wire.ContentUpload) (Upload, error)
}

// Upload takes the bytes of a new version. Without Commit nothing comes of it.
type Upload interface {
	io.Writer
	Commit(ctx context.Context) (wire.ContentVersion, error)
	Abort()
}

// fetchInto puts all files of a version, called name, into a folder.
func (s *Step) fetchInto(ctx context.Context, ref tasksequence.Reference, name, folder string) error {
	s.Log("info", "fetching "+name)
	err := s.Machine.Content.Folder(ctx, ref, folder, func(done, total int64) {
		percent := -1
		if total > 0 {
			percent = int(done * 100 / total)
		}
		s.Progress(percent, "Fetching "+name)
	})
	if err != nil {
		return fmt.Errorf("fetch %s: %w", name, err)
	}
	return nil
}
