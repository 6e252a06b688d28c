package tasksequence

// RunPowerShellScript is the id of the step that runs PowerShell.
const RunPowerShellScript = "run-powershell-script"

func runPowerShellScript() Definition {
	return Definition{
		Format: Format, ID: RunPowerShellScript, Version: 1,
		Name: "Run PowerShell script", Category: "General",
		Description: "Runs a PowerShell script: one that is written here, or one of a content item. On Linux pwsh has to be installed. " +
			"The script reads the variables as environment variables SLIPWAY_<NAME>, and sets some by lines NAME=value in the file that SLIPWAY_VARIABLES names.",
		Environments: allEnvironments(),
		Interruption: AskFirst,
		Executor:     RunPowerShellScript,
		Options: []Option{
			{Name: "Script", Label: "Script", Type: TypeLines, Rule: &Rule{Longest: 256 << 10},
				Help: "The script itself. Empty: the one of the content item."},
			{Name: "Content", Label: "Content", Type: TypeContent, Help: "The content item that holds the script."},
			{Name: "ScriptName", Label: "Script name", Type: TypeText, Rule: &Rule{Longest: 512},
				Help: "The path of the script within the content item."},
			{Name: "Parameters", Label: "Parameters", Type: TypeText, Rule: &Rule{Longest: 8 << 10},
				Help: "Given to the script, separated by blanks; quotes hold words together."},
			{Name: optionTimeout, Label: "Timeout", Type: TypeInteger, Unit: "seconds", Default: raw(`0`), Rule: between(0, maxTimeout),
				Help: "The script is ended after this time and the step fails. 0: no limit."},
			{Name: optionSuccessCodes, Label: "Success codes", Type: TypeIntegers, Default: raw(`[0]`),
				Help: "The exit codes that count as success."},
		},
	}
}
