package tasksequence

// The option of run-command-line that overrides the definition's interruption rule.
const optionAfterInterruption = "AfterInterruption"

func runCommandLine() Definition {
	return Definition{
		Format: Format, ID: RunCommandLine, Version: 1,
		Name: "Run command line", Category: "General",
		Description: "Runs a command. Its output goes to the log and, if wanted, into a variable. " +
			"Linux runs it by /bin/sh -c, Windows by cmd.exe: one line as if it were typed, several as a batch file.",
		Environments: allEnvironments(),
		Interruption: AskFirst,
		Executor:     RunCommandLine,
		Options: []Option{
			{Name: "Command", Label: "Command", Type: TypeLines, Required: true, Rule: &Rule{Longest: 64 << 10},
				Help: "The command as the shell reads it. %NAME% is replaced before the shell sees it, %% is a percent sign."},
			{Name: "Content", Label: "Content", Type: TypeContent,
				Help: "Files that the command needs. They are put into a folder on the device before the command runs and removed afterwards; %_CONTENT-Content% is the folder."},
			{Name: "WorkingFolder", Label: "Working folder", Type: TypeText, Rule: &Rule{Longest: 1024},
				Help: "The folder in which the command starts. Empty: that of the content, else the agent's own."},
			{Name: optionTimeout, Label: "Timeout", Type: TypeInteger, Unit: "seconds", Default: raw(`0`), Rule: between(0, maxTimeout),
				Help: "The command is ended after this time and the step fails. 0: no limit."},
			{Name: optionSuccessCodes, Label: "Success codes", Type: TypeIntegers, Default: raw(`[0]`),
				Help: "The exit codes that count as success."},
			{Name: "OutputVariable", Label: "Output variable", Type: TypeVariable,
				Help: "The variable that receives the standard output, without line ends at its end."},
			{Name: "OutputSecret", Label: "Output is secret", Type: TypeBoolean, Default: raw(`false`),
				Help: "The output is not logged and the output variable is secret."},
			{Name: optionAfterInterruption, Label: "After an interruption", Type: TypeChoice, Default: raw(`"ask"`),
				Rule: &Rule{Choices: []string{string(AskFirst), string(RunAgain)}},
				Help: "What happens when the device loses power while the command runs: ask a person, or run it again."},
		},
	}
}
