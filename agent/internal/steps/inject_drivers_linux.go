package steps

import (
	"context"

	"slipway/tasksequence"
)

// injectDrivers adds the driver packs that the appliance has for this model.
func injectDrivers(ctx context.Context, s *Step) (Outcome, error) {
	packs, err := findDriverPacks(ctx, s)
	if err != nil || len(packs) == 0 {
		return Outcome{}, err
	}
	if onWindows(s) {
		return Outcome{}, stagePacks(ctx, s, packs)
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
