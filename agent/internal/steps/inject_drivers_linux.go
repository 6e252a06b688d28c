package steps

import (
	"context"
	"fmt"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// injectDrivers adds the driver packs that the appliance has for this model.
func injectDrivers(ctx context.Context, s *Step) (Outcome, error) {
	text := func(name string) string { return s.Vars.Run().Text(name) }
	q := wire.DriverQuery{Make: text("Make"), MakeAlias: text("MakeAlias"), Model: text("Model"),
		ModelAlias: text("ModelAlias"), SystemAlias: text("SystemAlias")}
	packs, err := s.Machine.Content.Find(ctx, wire.ContentQuery{Purpose: tasksequence.PurposeDriverPack, Drivers: &q})
	if err != nil {
		return Outcome{}, fmt.Errorf("look for driver packs: %w", err)
	}
	if len(packs) == 0 {
		s.Log("info", fmt.Sprintf("there is no driver pack for %s %s", q.Make, q.Model))
		return Outcome{}, nil
	}
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	for _, pack := range packs {
		if err := y.inject(ctx, tasksequence.Reference{ID: pack.Item, Version: pack.Version}, pack.Name); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{}, nil
}
