package tasksequence

// InstallUpdates is the id of the step that brings a system up to date.
const InstallUpdates = "install-updates"

func installUpdates() Definition {
	return Definition{
		Format: Format, ID: InstallUpdates, Version: 1,
		Name: "Install updates", Category: "Applications",
		Description:  "Installs the updates of the system's own package sources (apt or dnf) and restarts where they ask for it, until none is left.",
		Environments: []string{FullOS},
		Systems:      onlyLinux(),
		Interruption: RunAgain,
		Executor:     InstallUpdates,
		Options: []Option{
			{Name: "MaxRounds", Label: "Most rounds", Type: TypeInteger, Default: raw(`5`), Rule: between(1, 20),
				Help: "The step fails when updates are still left after so many rounds."},
		},
	}
}
