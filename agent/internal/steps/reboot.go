package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/tasksequence"
)

// stagedVariable is the read-only variable that says that this deployment got to Windows PE
// from the device's own disk before: it goes back there in the same way.
const stagedVariable = "_WinPEFromDisk"

// reboot only asks: the runner restarts the machine once the appliance has kept
// the step's result, so that the step cannot run again afterwards. Before that an
// installed Windows gets the Windows PE onto its disk that it is to start from.
func reboot(ctx context.Context, s *Step) (Outcome, error) {
	r := &Restart{
		Target:  s.Settings.Text("RebootRequested"),
		Message: s.Settings.Text("RebootMessage"),
		Delay:   time.Duration(s.Settings.Int("RebootDelay")) * time.Second,
	}
	if r.Target != tasksequence.RebootImage || !fromDisk(s) {
		return Outcome{Restart: r}, nil
	}
	if s.Machine.WinPE == nil {
		return Outcome{}, errors.New("this agent cannot put Windows PE onto the disk here")
	}
	image, err := s.Machine.WinPE.Stage(ctx, s.Progress, s.Log)
	if err != nil {
		return Outcome{}, fmt.Errorf("nothing was changed, because Windows PE cannot be started from the disk: %w", err)
	}
	r.Staged = image
	if err := s.Vars.SetSystem(stagedVariable, tasksequence.Value{Text: "True"}); err != nil {
		return Outcome{}, err
	}
	return Outcome{Restart: r}, nil
}

// fromDisk reports whether an installed Windows is to start Windows PE from its own disk. A
// boot image that prepared the disk of this deployment came from elsewhere, and does so
// again.
func fromDisk(s *Step) bool {
	if s.Vars.Text(tasksequence.VariableEnvironment) != tasksequence.FullOS || s.Vars.Text(tasksequence.VariableSystem) != tasksequence.Windows {
		return false
	}
	switch s.Settings.Text("BootImageFrom") {
	case tasksequence.BootImageFromDisk:
		return true
	case tasksequence.BootImageAutomatic:
		return s.Vars.Text(tasksequence.VariableTargetLayout) == "" || s.Vars.Text(stagedVariable) != ""
	}
	return false // from the network, or a task sequence of before this option
}
