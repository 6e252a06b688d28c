package steps

import "context"

// injectDriversFromCloud adds the driver pack that the maker publishes for this model.
func injectDriversFromCloud(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openEither(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	packs, err := driversFromCloud(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	return injectPacks(ctx, y, packs)
}
