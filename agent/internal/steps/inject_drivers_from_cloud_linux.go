package steps

import "context"

// injectDriversFromCloud lays the driver pack that the maker publishes for this model down
// for the Windows on the target disk.
func injectDriversFromCloud(ctx context.Context, s *Step) (Outcome, error) {
	if err := needWindows(ctx, s); err != nil {
		return Outcome{}, err // before gigabytes are fetched
	}
	packs, err := driversFromCloud(ctx, s)
	if err != nil || len(packs) == 0 {
		return Outcome{}, err
	}
	return Outcome{}, stagePacks(ctx, s, packs)
}
