package content

import (
	"fmt"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Lookup finds content versions by their item's id within a transaction: for pinning
// a task sequence, and for telling what is missing before it starts.
func Lookup(tx *state.Tx) tasksequence.ContentLookup {
	return func(ref tasksequence.Reference, purpose string) (tasksequence.Content, error) {
		item, err := tx.ContentItems().Get(ref.ID)
		if err != nil {
			return tasksequence.Content{}, fmt.Errorf("%s: %w", ref, tasksequence.ErrNoContent)
		}
		version, err := usable(tx, item, ref.Version, purpose)
		if err != nil {
			return tasksequence.Content{}, err
		}
		return tasksequence.Content{ID: item.ID, Version: version.Version, Name: item.Name, Purpose: item.Purpose, Size: version.Size}, nil
	}
}

// usable returns a version of an item, number 0 the newest Active one. Its errors are
// those of a tasksequence.ContentLookup.
func usable(tx *state.Tx, item fleet.ContentItem, number int, purpose string) (v fleet.ContentVersion, err error) {
	if purpose != "" && item.Purpose != purpose {
		return v, fmt.Errorf("%q is %s, not %s: %w", item.Name, item.Purpose, purpose, tasksequence.ErrContentPurpose)
	}
	if number == 0 {
		v, ok := newestActive(tx, item.ID)
		if !ok {
			return v, fmt.Errorf("%q: %w", item.Name, tasksequence.ErrContentInactive)
		}
		return v, nil
	}
	v, err = tx.ContentVersions().Get(state.ContentVersionKey(item.ID, number))
	switch {
	case err != nil:
		return v, fmt.Errorf("%q has no version %d: %w", item.Name, number, tasksequence.ErrNoContent)
	case v.Status == fleet.ContentDeprecated:
		return v, fmt.Errorf("%q, version %d: %w", item.Name, number, tasksequence.ErrContentDeprecated)
	}
	return v, nil
}

func newestActive(tx *state.Tx, item string) (found fleet.ContentVersion, ok bool) {
	for v := range tx.ContentVersions().ByItem(item) {
		if v.Status == fleet.ContentActive {
			found, ok = v, true // oldest first
		}
	}
	return found, ok
}
