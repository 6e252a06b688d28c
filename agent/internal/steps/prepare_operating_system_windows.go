package steps

import (
	"context"
	"strings"

	"slipway/tasksequence"
)

// prepareOperatingSystem puts the agent onto the target's Windows volume, and a command
// that starts it into the answer file.
func prepareOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openWindows(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.Machine.Agent.Place(ctx, y.root, s.Settings.Text("AgentStart")); err != nil {
		return Outcome{}, err
	}
	s.Log("info", "the agent goes on in the installed Windows when the device starts from its disk")
	return Outcome{}, s.Vars.SetSystem(targetDrive, tasksequence.Value{Text: strings.TrimSuffix(y.root, `\`)})
}
