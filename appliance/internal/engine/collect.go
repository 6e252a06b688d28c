package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/appliance/internal/state"
)

// collectEvery is how often what nothing refers to any more is removed.
const collectEvery = time.Hour

// collect removes documents that no deployment is pinned to, and files of
// deployments that are no longer remembered (a crash may leave some behind).
func (e *Engine) collect(ctx context.Context) error {
	if err := e.opts.Store.Update(ctx, collectDocuments); err != nil {
		return fmt.Errorf("remove documents nothing refers to: %w", err)
	}
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return fmt.Errorf("look for files of forgotten deployments: %w", err)
	}
	known := map[string]bool{}
	err = e.opts.Store.View(func(tx *state.Tx) error {
		for d := range tx.Deployments().All() {
			known[d.ID] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id := strings.TrimSuffix(strings.TrimSuffix(entry.Name(), ".jsonl"), ".events")
		if known[id] || !strings.HasSuffix(entry.Name(), ".jsonl") || e.young(entry) {
			continue
		}
		if err := os.Remove(filepath.Join(e.dir, entry.Name())); err != nil {
			return fmt.Errorf("remove a file of a forgotten deployment: %w", err)
		}
	}
	return nil
}

// young reports whether a file was written lately: its deployment may have begun
// after the folder was read.
func (e *Engine) young(entry os.DirEntry) bool {
	info, err := entry.Info()
	return err != nil || e.opts.Now().Sub(info.ModTime()) < collectEvery
}

// collectDocuments reads both tables whole, so a start at the same time makes it
// run again.
func collectDocuments(tx *state.Tx) error {
	used := map[string]bool{}
	for d := range tx.Deployments().All() {
		used[d.Document] = true
	}
	for doc := range tx.Documents().All() {
		if used[doc.Hash] {
			continue
		}
		if err := tx.Documents().Delete(doc.Hash); err != nil {
			return err
		}
	}
	return nil
}
