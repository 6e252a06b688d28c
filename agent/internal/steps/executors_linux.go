package steps

import "slipway/tasksequence"

// Executors returns the executors of the Linux boot image by their names.
func Executors() map[string]Executor {
	return map[string]Executor{
		tasksequence.SetVariable:    setVariable,
		tasksequence.RunCommandLine: runCommandLine,
		tasksequence.Reboot:         reboot,
		tasksequence.ExecutorScript: script,
	}
}
