package steps

import (
	"context"
	"fmt"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// injectDriversFromCloud adds the driver pack that the maker publishes for this model.
func injectDriversFromCloud(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openEither(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	text := func(name string) string { return s.Vars.Run().Text(name) }
	found, err := fromCloud(ctx, s, wire.CloudQuery{OS: s.Settings.Text("OS"), Version: s.Settings.Text("Version"), Architecture: text("Architecture"),
		Drivers: &wire.DriverQuery{Make: text("Make"), MakeAlias: text("MakeAlias"), Model: text("Model"), ModelAlias: text("ModelAlias"), SystemAlias: text("SystemAlias")}})
	if err != nil {
		return Outcome{}, err
	}
	if len(found.Content) == 0 {
		s.Log("info", fmt.Sprintf("the catalogues have no driver pack for %s %s", text("Make"), text("Model")))
		return Outcome{}, nil
	}
	restart := false
	for _, pack := range found.Content {
		needed, err := y.inject(ctx, tasksequence.Reference{ID: pack.Item, Version: pack.Version}, pack.Name)
		if err != nil {
			return Outcome{}, err
		}
		restart = restart || needed
	}
	return driversAdded(restart), nil
}
