package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"slipway/fleet"
	"slipway/tasksequence/templates"
)

// Templates returns the task sequences to begin with.
func (l *Library) Templates() []templates.Template { return templates.All(l.shelf.now()) }

// Create makes a new task sequence, in development, of a template. content names a
// content item for each of the template's places.
//
// Errors: ErrNotFound, tasksequence.Problems, and those of Import.
func (l *Library) Create(ctx context.Context, actor Actor, template, name string, content map[string]string) (fleet.Sequence, error) {
	t, err := templates.Find(l.shelf.now(), template)
	if errors.Is(err, templates.ErrUnknown) {
		return fleet.Sequence{}, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return fleet.Sequence{}, err
	}
	s, err := t.Fill(name, content)
	if err != nil {
		return fleet.Sequence{}, err
	}
	s.ID = l.opts.NewID() // a new one also when there is one just like it
	text, err := json.Marshal(s)
	if err != nil {
		return fleet.Sequence{}, fmt.Errorf("write the task sequence: %w", err)
	}
	return l.Import(ctx, actor, text)
}
