package steps

import (
	"context"
	"errors"
)

// runPowerShellScript runs a script with pwsh, PowerShell's program on Linux.
func runPowerShellScript(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openRunning(s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	if !y.has("pwsh") && !y.exists("opt/microsoft/powershell/7/pwsh") {
		return Outcome{}, errors.New("PowerShell (pwsh) is not installed here: install it before this step, or use Run command line")
	}
	return powerShell(ctx, s, "pwsh")
}
