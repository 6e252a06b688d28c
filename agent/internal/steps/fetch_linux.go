package steps

import (
	"context"
	"fmt"
	"path/filepath"

	"slipway/tasksequence"
)

// fetchDir is where content lies on a system's disk while it is used.
const fetchDir = "var/cache/slipway"

// fetch puts the files of a version on the system's disk.
func (y *system) fetch(ctx context.Context, ref tasksequence.Reference, name string) (folder string, remove func(), err error) {
	if err := y.dir.MkdirAll(fetchDir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make a folder for %s: %w", name, err)
	}
	dir := fetchDir + "/" + ref.ID
	remove = func() {
		if err := y.dir.RemoveAll(dir); err != nil {
			y.step.Log("warn", fmt.Sprintf("the files of %s were not removed: %v", name, err))
		}
		_ = y.dir.Remove(fetchDir) // only when nothing else is in it
	}
	remove() // of an interrupted try
	if err := y.dir.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make a folder for %s: %w", name, err)
	}
	folder = filepath.Join(y.root, dir)
	if err := y.step.fetchInto(ctx, ref, name, folder); err != nil {
		remove()
		return "", nil, err
	}
	return folder, remove, nil
}
