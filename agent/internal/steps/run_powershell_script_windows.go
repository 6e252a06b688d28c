package steps

import (
	"context"
	"errors"
	"os/exec"
)

// runPowerShellScript runs a script with Windows' own PowerShell. Scripts that were
// not signed run too: whoever builds the task sequence answers for them.
func runPowerShellScript(ctx context.Context, s *Step) (Outcome, error) {
	if _, err := exec.LookPath("powershell.exe"); err != nil {
		return Outcome{}, errors.New("there is no PowerShell in this Windows: WinPE has it only when its optional components were added; use Run command line, or run the step in the installed system")
	}
	return powerShell(ctx, s, "powershell.exe", "-ExecutionPolicy", "Bypass")
}
