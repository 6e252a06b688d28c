package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slipway/tasksequence"
)

// contentFolder says where the content of a step's option is put.
func (r *Runner) contentFolder(p tasksequence.Position, option string) string {
	dir := cmp.Or(r.ContentDir, filepath.Join(os.TempDir(), "slipway-content"))
	return filepath.Join(dir, fmt.Sprintf("%d-%s", p.Number, option))
}

// putContent puts the content of a step into its folders.
func (r *Runner) putContent(ctx context.Context, e tasksequence.Execute) error {
	for _, c := range e.Content {
		if err := r.putItem(ctx, e.Path, c.Version, c.Folder); err != nil {
			return fmt.Errorf("content %s of %s: %w", r.contentName(c.Version), c.Option, err)
		}
	}
	return nil
}

func (r *Runner) putItem(ctx context.Context, path string, ref tasksequence.Reference, folder string) error {
	if r.Machine.Content == nil {
		return errors.New("this agent cannot fetch content: rebuild the boot image")
	}
	if err := os.RemoveAll(folder); err != nil { // of an attempt that was interrupted
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	size := r.doc.Content[ref.String()].Size
	if free, known := freeSpace(folder); known && size > free {
		return fmt.Errorf("it is %s large, and there are only %s free where it is put", megabytes(size), megabytes(free))
	}
	what := "Fetching " + r.contentName(ref)
	r.log("info", path, what)
	return r.Machine.Content.Folder(ctx, ref, folder, func(done, total int64) {
		percent := -1
		if total > 0 {
			percent = int(done * 100 / total)
		}
		r.progress(path, percent, what)
	})
}

func (r *Runner) removeContent(e tasksequence.Execute) {
	for _, c := range e.Content {
		if err := os.RemoveAll(c.Folder); err != nil {
			r.log("warn", e.Path, "content was not removed: "+err.Error())
		}
	}
}

func (r *Runner) contentName(ref tasksequence.Reference) string {
	return cmp.Or(r.doc.Content[ref.String()].Name, ref.String())
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
