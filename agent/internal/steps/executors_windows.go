package steps

import "slipway/tasksequence"

// Executors returns the executors of Windows, in WinPE and in an installed system, by
// their names.
func Executors() map[string]Executor {
	return map[string]Executor{
		tasksequence.SetVariable:         setVariable,
		tasksequence.RunCommandLine:      runCommandLine,
		tasksequence.RunPowerShellScript: runPowerShellScript,
		tasksequence.Reboot:              reboot,
		tasksequence.ExecutorScript:      script,
	}
}
