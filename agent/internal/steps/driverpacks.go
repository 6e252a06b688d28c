package steps

import (
	"context"
	"fmt"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// findDriverPacks asks the appliance for the driver packs of this model, and notes in
// the log when there is none.
func findDriverPacks(ctx context.Context, s *Step) ([]wire.ContentVersion, error) {
	text := func(name string) string { return s.Vars.Run().Text(name) }
	q := wire.DriverQuery{Make: text("Make"), MakeAlias: text("MakeAlias"), Model: text("Model"),
		ModelAlias: text("ModelAlias"), SystemAlias: text("SystemAlias")}
	packs, err := s.Machine.Content.Find(ctx, wire.ContentQuery{Purpose: tasksequence.PurposeDriverPack, Drivers: &q})
	if err != nil {
		return nil, fmt.Errorf("look for driver packs: %w", err)
	}
	if len(packs) == 0 {
		s.Log("info", fmt.Sprintf("there is no driver pack for %s %s", q.Make, q.Model))
		return nil, nil
	}
	return packs, nil
}
