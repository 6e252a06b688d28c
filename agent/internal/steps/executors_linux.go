package steps

import "slipway/tasksequence"

// Executors returns the executors of Linux, in the boot image and in an installed
// system, by their names.
func Executors() map[string]Executor {
	return map[string]Executor{
		tasksequence.SetVariable:    setVariable,
		tasksequence.RunCommandLine: runCommandLine,
		tasksequence.Reboot:         reboot,
		tasksequence.FormatDisk:     formatDisk,
		tasksequence.WipeDisk:       wipeDisk,
		tasksequence.ExecutorScript: script,

		tasksequence.ApplyOperatingSystem:       applyOperatingSystem,
		tasksequence.RunPowerShellScript:        runPowerShellScript,
		tasksequence.ApplyChromeOSFlex:          applyChromeOSFlex,
		tasksequence.ApplyIGELImage:             applyIGELImage,
		tasksequence.CaptureImage:               captureImage,
		tasksequence.PrepareOperatingSystem:     prepareOperatingSystem,
		tasksequence.PrepareForCapture:          prepareForCapture,
		tasksequence.ConfigureOperatingSystem:   configureOperatingSystem,
		tasksequence.EnableAdministratorAccount: enableAdministratorAccount,
		tasksequence.InjectDrivers:              injectDrivers,
		tasksequence.InjectDriverPack:           injectDriverPack,

		tasksequence.ApplyOperatingSystemFromCloud: applyOperatingSystemFromCloud,
		tasksequence.InjectDriversFromCloud:        injectDriversFromCloud,
		tasksequence.OfflineDomainJoin:             offlineDomainJoin,

		tasksequence.InstallApplication:          installApplication,
		tasksequence.InstallMultipleApplications: installMultipleApplications,
		tasksequence.InstallUpdates:              installUpdates,
	}
}
