package steps

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"slipway/agent/wire"
)

// Autopilot is how an executor has the appliance register the device.
type Autopilot interface {
	// Register says how far the registration is; it is called again until it is done.
	// An appliance that is away is waited for.
	Register(ctx context.Context, r wire.AutopilotRegistration) (wire.AutopilotState, error)
}

// shortestPause is the least time between two questions.
const shortestPause = 100 * time.Millisecond

// register asks the appliance until the device is registered and has a profile.
func register(ctx context.Context, s *Step, r wire.AutopilotRegistration) (Outcome, error) {
	text := func(option, variable string) string {
		return cmp.Or(s.Settings.Text(option), s.Vars.Run().Text(variable))
	}
	r.GroupTag, r.User = text("GroupTag", "GROUPTAG"), text("AssignedUser", "ENTRAUPN")
	last := ""
	for {
		state, err := s.Machine.Autopilot.Register(ctx, r)
		if err != nil {
			return Outcome{}, endedAt(ctx, last, err)
		}
		if state.Detail != last {
			s.Log("info", state.Detail)
			last = state.Detail
		}
		s.Progress(-1, state.Detail)
		switch {
		case state.State == wire.AutopilotAssigned:
			return Outcome{Message: state.Detail}, nil
		case state.State == wire.AutopilotAssigning && !s.Settings.Bool("WaitForProfile"):
			return Outcome{Message: "The device is registered."}, nil
		case state.State != wire.AutopilotAssigning && state.State != wire.AutopilotImporting:
			return Outcome{}, fmt.Errorf("the appliance's answer %q is not understood", state.State)
		}
		select {
		case <-ctx.Done():
			return Outcome{}, endedAt(ctx, last, context.Cause(ctx))
		case <-time.After(max(time.Duration(state.Wait)*time.Second, shortestPause)):
		}
	}
}

// endedAt says how far a registration had come when time was up.
func endedAt(ctx context.Context, last string, err error) error {
	if ctx.Err() != nil && last != "" {
		return fmt.Errorf("%w; it had come so far: %s", err, last)
	}
	return err
}

// parseHash reads what the script of hardwareHash prints: lines "serial=" once, and
// "hash=" with a piece of the hash each.
func parseHash(text string) (serial, hash string, err error) {
	var all strings.Builder
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "serial":
			serial = strings.TrimSpace(value)
		case "hash":
			all.WriteString(value)
		}
	}
	switch {
	case serial == "":
		return "", "", errors.New("the device has no serial number in Windows")
	case all.Len() == 0:
		return "", "", errors.New("no hardware hash of this device was given by Windows")
	}
	return serial, all.String(), nil
}

// bounded keeps the first bytes of a stream and drops the rest. Its buffer is no part of
// its face: the buffer's ReadFrom knows no bound.
type bounded struct {
	kept bytes.Buffer
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), max(b.most-b.kept.Len(), 0))])
	return len(p), nil
}

func (b *bounded) String() string { return b.kept.String() }

var _ io.Writer = (*bounded)(nil)
