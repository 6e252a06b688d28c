package steps

import (
	"context"
	"strconv"
)

// applyOperatingSystemFromCloud applies a Windows that the appliance fetches by its
// catalogues, or has fetched before.
func applyOperatingSystemFromCloud(ctx context.Context, s *Step) (Outcome, error) {
	if _, err := openTarget(ctx, s); err != nil {
		return Outcome{}, err // before gigabytes are fetched
	}
	ref, name, index, err := systemFromCloud(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	choice := "/Index:" + strconv.Itoa(index)
	if name != "" {
		choice = "/Name:" + name
	}
	return applyVersion(ctx, s, ref, choice)
}
