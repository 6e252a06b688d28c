package steps

import (
	"context"
	"fmt"

	"slipway/agent/internal/disk"
)

func wipeDisk(ctx context.Context, s *Step) (Outcome, error) {
	chosen, err := chooseDisk(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	s.Log("info", "The disk is "+chosen.String()+", id "+chosen.ID)
	r, err := s.Machine.Disks.Wipe(ctx, chosen.ID, disk.WipeMethod(s.Settings.Text("Method")), s.Progress)
	if err != nil {
		return Outcome{}, err
	}
	message := fmt.Sprintf("%s: %s, verified at %d places (seed %d)", chosen.Name, r.Details, r.Samples, r.Seed)
	s.Log("info", message)
	return Outcome{Message: message}, nil
}
