package tasksequence

// PrepareOperatingSystem is the id of the step that hands the sequence over.
const PrepareOperatingSystem = "prepare-operating-system"

func prepareOperatingSystem() Definition {
	return Definition{
		Format: Format, ID: PrepareOperatingSystem, Version: 1,
		Name: "Prepare operating system", Category: "Operating system",
		Description: "Puts the agent into the system on the target disk, as a service; a Windows starts it while it is set up. After a Reboot step that starts " +
			"from the disk the task sequence goes on there; at its end the agent removes itself.",
		Environments: []string{LinuxPE, WinPE},
		Interruption: RunAgain,
		Executor:     PrepareOperatingSystem,
	}
}
