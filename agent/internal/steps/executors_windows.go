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

		tasksequence.FormatDisk:                 formatDisk,
		tasksequence.ApplyOperatingSystem:       applyOperatingSystem,
		tasksequence.InjectDrivers:              injectDrivers,
		tasksequence.InjectDriverPack:           injectDriverPack,
		tasksequence.ConfigureOperatingSystem:   configureOperatingSystem,
		tasksequence.EnableAdministratorAccount: enableAdministratorAccount,

		tasksequence.ApplyOperatingSystemFromCloud: applyOperatingSystemFromCloud,
		tasksequence.InjectDriversFromCloud:        injectDriversFromCloud,
		tasksequence.PrepareOperatingSystem:        prepareOperatingSystem,
		tasksequence.OfflineDomainJoin:             offlineDomainJoin,
		tasksequence.PrepareForCapture:             prepareForCapture,
		tasksequence.CaptureImage:                  captureImage,
		tasksequence.InstallApplication:            installApplication,
		tasksequence.InstallMultipleApplications:   installMultipleApplications,
		tasksequence.InstallUpdates:                installUpdates,
		tasksequence.EnableBranchCache:             enableBranchCache,
		tasksequence.RegisterWithAutopilot:         registerWithAutopilot,
	}
}
