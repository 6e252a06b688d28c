package tasksequence

// The ids of the steps that install applications.
const (
	InstallApplication          = "install-application"
	InstallMultipleApplications = "install-multiple-applications"
)

// The exit codes of installers that ask for a restart (Windows Installer's
// ERROR_SUCCESS_REBOOT_REQUIRED and ERROR_SUCCESS_REBOOT_INITIATED).
const (
	RestartRequired  = 3010
	RestartInitiated = 1641
)

func installApplication() Definition {
	return Definition{
		Format: Format, ID: InstallApplication, Version: 1,
		Name: "Install application", Category: "Applications",
		Description: "Runs the installation command line of a content item in the folder of its files. An item without one is installed by " +
			"what it holds: on Linux .deb or .rpm packages, or an install.sh; on Windows one package (.msi, .msp, .msu, .msix, .appx), or an install.cmd, " +
			"install.bat or install.ps1. An installer that ends with 3010 (a restart is needed) or 1641 (it has begun one) is followed by a restart.",
		Environments: []string{FullOS},
		Interruption: RunAgain,
		Executor:     InstallApplication,
		Options: []Option{
			{Name: "Application", Label: "Application", Type: TypeContent, Purpose: PurposeApplication, Required: true,
				Help: "The content item to install."},
			{Name: optionTimeout, Label: "Timeout", Type: TypeInteger, Unit: "seconds", Default: raw(`0`), Rule: between(0, maxTimeout),
				Help: "The installer is ended after this time and the step fails. 0: no limit."},
			{Name: optionSuccessCodes, Label: "Success codes", Type: TypeIntegers, Default: raw(`[0, 3010, 1641]`),
				Help: "The exit codes that count as success."},
		},
	}
}

func installMultipleApplications() Definition {
	return Definition{
		Format: Format, ID: InstallMultipleApplications, Version: 1,
		Name: "Install multiple applications", Category: "Applications",
		Description: "Installs what the list variable Applications names, one after the other: ids, ids with versions, or names of content items. " +
			"An installer that ends with 3010 is followed by a restart when all are through; one that ends with 1641 has begun the restart, and the others come after it.",
		Environments: []string{FullOS},
		Interruption: RunAgain,
		Executor:     InstallMultipleApplications,
		Options: []Option{
			{Name: optionSuccessCodes, Label: "Success codes", Type: TypeIntegers, Default: raw(`[0, 3010, 1641]`),
				Help: "The exit codes that count as success."},
		},
	}
}
