package steps

import (
	"context"
	"errors"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/windowstarget"
	"slipway/tasksequence"
)

// prepareOperatingSystem puts the agent into the system on the target disk.
func prepareOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	if onWindows(s) {
		return Outcome{}, prepareWindows(ctx, s)
	}
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	if err := s.Machine.Agent.Place(ctx, y.root, ""); err != nil {
		return Outcome{}, err
	}
	if err := s.Vars.SetSystem("OSDTargetSystemDrive", tasksequence.Value{Text: y.root}); err != nil {
		return Outcome{}, err
	}
	s.Log("info", "the agent goes on in the installed system when the device starts from its disk")
	return Outcome{}, nil
}

// WindowsAgent is the agent for Windows, a program of the tool pack.
const WindowsAgent = "slipway-agent.exe"

// prepareWindows puts the agent onto the volume of the Windows on the target disk.
func prepareWindows(ctx context.Context, s *Step) error {
	if err := s.needTools(ctx, WindowsAgent); err != nil {
		return err
	}
	layout, err := disk.ParseLayout(s.Vars.Text(tasksequence.VariableTargetLayout))
	if err != nil {
		return err
	}
	err = s.Machine.Agent.PlaceOn(ctx, s.Settings.Text("AgentStart"), func(ctx context.Context) (string, func() error, error) {
		v, err := openVolume(ctx, s, layout)
		if err != nil {
			return "", nil, err
		}
		if !windowstarget.IsWindows(v.root) {
			return "", nil, errors.Join(errNoWindows, v.undo())
		}
		return v.root, v.undo, nil
	})
	if err != nil {
		return err
	}
	s.Log("info", "the agent goes on in the installed Windows when the device starts from its disk")
	return nil
}
