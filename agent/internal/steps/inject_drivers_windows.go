package steps

import (
	"context"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// injectDrivers adds the driver packs that the appliance has for this model.
func injectDrivers(ctx context.Context, s *Step) (Outcome, error) {
	packs, err := findDriverPacks(ctx, s)
	if err != nil || len(packs) == 0 {
		return Outcome{}, err
	}
	y, err := openEither(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	return injectPacks(ctx, y, packs)
}

// injectPacks adds driver packs to a Windows.
func injectPacks(ctx context.Context, y *target, packs []wire.ContentVersion) (Outcome, error) {
	restart := false
	for _, pack := range packs {
		needed, err := y.inject(ctx, tasksequence.Reference{ID: pack.Item, Version: pack.Version}, pack.Name)
		if err != nil {
			return Outcome{}, err
		}
		restart = restart || needed
	}
	return driversAdded(restart), nil
}
