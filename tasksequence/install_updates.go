package tasksequence

// InstallUpdates is the id of the step that brings a system up to date.
const InstallUpdates = "install-updates"

func installUpdates() Definition {
	return Definition{
		Format: Format, ID: InstallUpdates, Version: 1,
		Name: "Install updates", Category: "Applications",
		Description: "Installs updates and restarts where they ask for it, until none is left: on Linux those of the system's own package sources " +
			"(apt or dnf), on Windows those of Windows Update, or of the WSUS server that the computer is set to.",
		Environments: []string{FullOS},
		Interruption: RunAgain,
		Executor:     InstallUpdates,
		Options: []Option{
			{Name: "MicrosoftUpdate", Label: "Microsoft Update", Type: TypeBoolean, Default: raw(`false`),
				Help: "On Windows: also updates of other products of Microsoft, from Microsoft Update itself."},
			{Name: "Updates", Label: "Updates", Type: TypeBoolean, Default: raw(`true`), Help: "On Windows: updates of software. Previews and what asks questions is left out."},
			{Name: "Drivers", Label: "Drivers", Type: TypeBoolean, Default: raw(`false`), Help: "On Windows: drivers too."},
			{Name: "MaxRounds", Label: "Most rounds", Type: TypeInteger, Default: raw(`5`), Rule: between(1, 20),
				Help: "The step fails when updates are still left after so many rounds."},
		},
	}
}
