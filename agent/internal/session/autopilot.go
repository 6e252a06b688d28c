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
	told := false
	err = client.Retry(ctx, func(why error) {
		told = true
		a.face.Alert("The appliance is waited for: " + client.Explain(why))
	}, func(ctx context.Context) error {
		out, err = a.api.Autopilot(ctx, a.deployment, r)
		return err
	})
	if told {
		a.face.Alert("")
	}
	return out, err
}
