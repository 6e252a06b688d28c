package session

import (
	"context"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// autopilot has the appliance register the device of a deployment.
type autopilot struct {
	api        *client.Client
	deployment string
	face       *face
}

// Register implements steps.Autopilot.
func (a autopilot) Register(ctx context.Context, r wire.AutopilotRegistration) (out wire.AutopilotState, err error) {
	err = a.face.insist(ctx, func(ctx context.Context) error {
		out, err = a.api.Autopilot(ctx, a.deployment, r)
		return err
	})
	return out, err
}

// insist calls the appliance until it answers, and says so while it is waited for.
func (f *face) insist(ctx context.Context, call func(context.Context) error) error {
	told := false
	err := client.Retry(ctx, func(why error) {
		told = true
		f.Alert("The appliance is waited for: " + client.Explain(why))
	}, call)
	if told {
		f.Alert("")
	}
	return err
}
