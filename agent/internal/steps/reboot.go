package steps

import (
	"context"
	"time"
)

// reboot only asks: the runner restarts the machine once the appliance has kept
// the step's result, so that the step cannot run again afterwards.
func reboot(_ context.Context, s *Step) (Outcome, error) {
	return Outcome{Restart: &Restart{
		Target:  s.Settings.Text("RebootRequested"),
		Message: s.Settings.Text("RebootMessage"),
		Delay:   time.Duration(s.Settings.Int("RebootDelay")) * time.Second,
	}}, nil
}
