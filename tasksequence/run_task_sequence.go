package tasksequence

// optionSequence names the child sequence; Pin rewrites it to "id:version".
const optionSequence = "Sequence"

func runTaskSequence() Definition {
	return Definition{
		Format: Format, ID: RunTaskSequence, Version: 1,
		Name: "Run task sequence", Category: "General",
		Description: "Runs the steps of another task sequence as if they stood here. Both share all variables. " +
			"A task sequence cannot run itself, not even through others.",
		Environments: allEnvironments(),
		Interruption: RunAgain,
		Executor:     ExecutorNone,
		Options: []Option{
			{Name: optionSequence, Label: "Task sequence", Type: TypeSequence, Required: true,
				Help: "The id of the task sequence for its newest active version, or id:version."},
		},
	}
}
