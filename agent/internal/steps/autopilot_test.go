package steps

import (
	"context"
	"errors"

	"slipway/agent/wire"
)

// answers stands in for the appliance.
type answers struct {
	list  []wire.AutopilotState
	err   error
	asked []wire.AutopilotRegistration
}

func (a *answers) Register(ctx context.Context, r wire.AutopilotRegistration) (wire.AutopilotState, error) {
	a.asked = append(a.asked, r)
	if len(a.list) == 0 {
		return wire.AutopilotState{}, errors.Join(a.err, ctx.Err())
	}
	out := a.list[0]
	if len(a.list) > 1 || a.err != nil {
		a.list = a.list[1:]
	}
	return out, nil
}
