package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/agent/wire"
)

// fromCloud waits until the appliance has what is asked for. Without content in the
// answer there is none.
func fromCloud(ctx context.Context, s *Step, q wire.CloudQuery) (wire.CloudAnswer, error) {
	if s.Machine.Cloud == nil {
		return wire.CloudAnswer{}, errors.New("this agent cannot ask the appliance for what its catalogues have")
	}
	last := ""
	for {
		a, err := s.Machine.Cloud.Fetch(ctx, q)
		if err != nil {
			return a, fmt.Errorf("have it fetched: %w", err)
		}
		if len(a.Content) > 0 || a.Wait <= 0 {
			return a, nil
		}
		if a.Detail != last {
			last = a.Detail
			s.Log("info", a.Detail)
		}
		percent := a.Percent
		if percent == 0 {
			percent = -1
		}
		s.Progress(percent, a.Detail)
		wait := time.NewTimer(time.Duration(a.Wait) * time.Second)
		select {
		case <-ctx.Done():
			wait.Stop()
			return a, context.Cause(ctx)
		case <-wait.C:
		}
	}
}
