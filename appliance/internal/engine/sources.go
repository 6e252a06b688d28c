package engine

import (
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/state"
	"slipway/tasksequence"
)

// sourcesIn finds what a sequence names, as it stands within a transaction; each
// child sequence goes through fn.
func sourcesIn(tx *state.Tx, steps *shelf, fn func(tasksequence.Sequence) (tasksequence.Sequence, error)) (tasksequence.Sources, error) {
	catalogue, err := steps.in(tx)
	if err != nil {
		return tasksequence.Sources{}, err
	}
	return tasksequence.Sources{Catalogue: catalogue, Sequences: lookupIn(tx, fn), Content: content.Lookup(tx)}, nil
}
