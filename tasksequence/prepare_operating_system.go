package tasksequence

// PrepareOperatingSystem is the id of the step that hands the sequence over.
const PrepareOperatingSystem = "prepare-operating-system"

// Values of the option AgentStart of Prepare operating system: what makes an installed
// Windows start the agent, in the order in which they come to pass.
const (
	StartSpecialize    = "specialize"     // a command of the answer file's specialize pass, run as SYSTEM; needs no one
	StartSetupComplete = "setup-complete" // SetupComplete.cmd, run as SYSTEM; Windows ignores it with some OEM product keys
	StartFirstLogon    = "first-logon"    // a command of the answer file at the first logon; somebody, or AutoLogon, has to log on
	StartGiven         = "given"          // the answer file that was given has a command of its own
)

// AgentStarts lists them.
func AgentStarts() []string {
	return []string{StartSpecialize, StartSetupComplete, StartFirstLogon, StartGiven}
}

func prepareOperatingSystem() Definition {
	return Definition{
		Format: Format, ID: PrepareOperatingSystem, Version: 1,
		Name: "Prepare operating system", Category: "Operating system",
		Description: "Puts the agent into the system on the target disk, as a service; a Windows starts it while it is set up. After a Reboot step that starts " +
			"from the disk the task sequence goes on there; at its end the agent removes itself.",
		Environments: []string{LinuxPE, WinPE},
		Interruption: RunAgain,
		Executor:     PrepareOperatingSystem,
		Options: []Option{
			{Name: "AgentStart", Label: "Windows starts the agent", Type: TypeChoice, Default: raw(`"specialize"`), Rule: &Rule{Choices: AgentStarts()},
				Help: "Of Windows. specialize: while it is set up, by a command of the answer file. setup-complete: at the end of its setup, by SetupComplete.cmd, which Windows " +
					"ignores with product keys of some makers. first-logon: when somebody logs on first. given: the answer file that was given has a command of its own, " +
					`which runs %SystemDrive%\ProgramData\Slipway\deployment\slipway-agent.exe install; without one the step fails.`},
		},
	}
}
