package steps

import (
	"context"

	"slipway/tasksequence"
)

// prepareOperatingSystem puts the agent into the system on the target disk.
func prepareOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	if err := s.Machine.Agent.Place(ctx, y.root); err != nil {
		return Outcome{}, err
	}
	if err := s.Vars.SetSystem("OSDTargetSystemDrive", tasksequence.Value{Text: y.root}); err != nil {
		return Outcome{}, err
	}
	s.Log("info", "the agent goes on in the installed system when the device starts from its disk")
	return Outcome{}, nil
}
