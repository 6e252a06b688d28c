package console

import (
	"context"
	"errors"

	"slipway/appliance/internal/graph"
	"slipway/fleet"
	"slipway/ui"
)

type graphSettings struct{ graph *graph.Service }

// Settings implements ui.Graph.
func (g graphSettings) Settings(ctx context.Context) ([]ui.Setting, error) {
	v, err := g.graph.Settings(ctx)
	if err != nil {
		return nil, translate(err)
	}
	var out []ui.Setting
	for _, k := range graph.Keys(v) {
		out = append(out, ui.Setting{Name: k.Name, Kind: k.Kind, Value: k.Value}) // the kinds have the same names
	}
	return out, nil
}

// Permissions implements ui.Graph.
func (graphSettings) Permissions() []ui.GraphPermission {
	var out []ui.GraphPermission
	for _, p := range graph.Permissions() {
		out = append(out, ui.GraphPermission{Name: p.Name, Why: p.Why})
	}
	return out
}

// Change implements ui.Graph.
func (g graphSettings) Change(ctx context.Context, by ui.Actor, changes map[string]string) error {
	err := g.graph.Change(ctx, by.Name, by.Address.String(), changes)
	var invalid *graph.InvalidError
	if errors.As(err, &invalid) {
		return &ui.FieldError{Field: invalid.Field, Detail: invalid.Detail}
	}
	return translate(err)
}

// Test implements ui.Graph.
func (g graphSettings) Test(ctx context.Context, by ui.Actor) (fleet.GraphTest, error) {
	t, err := g.graph.Test(ctx, by.Name, by.Address.String())
	return t, translate(err)
}
