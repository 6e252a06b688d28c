package tasksequence

import (
	"fmt"
	"strings"
)

// Ids of the built-in definitions.
const (
	SetVariable     = "set-variable"
	RunCommandLine  = "run-command-line"
	RunTaskSequence = "run-task-sequence"
	Reboot          = "reboot"
)

func setVariable() Definition {
	return Definition{
		Format: Format, ID: SetVariable, Version: 1,
		Name: "Set variable", Category: "General",
		Description:  "Sets a task sequence variable to a text or a list.",
		Environments: allEnvironments(),
		Interruption: RunAgain,
		Executor:     SetVariable,
		Options: []Option{
			{Name: "VariableName", Label: "Variable", Type: TypeVariable, Required: true,
				Help: "The name of the variable. Names that begin with _ are read-only."},
			{Name: "VariableValue", Label: "Value", Type: TypeValue, SecretIf: "Secret",
				Help: "A text, or a list of texts. %NAME% is replaced by another variable's value; %NAME% alone passes a list on as a list."},
			{Name: "List", Label: "As a list", Type: TypeBoolean, Default: raw(`false`),
				Help: "Each line of the text becomes an item of a list. Empty lines are left out."},
			{Name: "Secret", Label: "Secret", Type: TypeBoolean, Default: raw(`false`),
				Help: "The value is shown as *** everywhere. A variable that was secret once stays secret."},
		},
	}
}

// ApplySetVariable carries out a Set variable step. It is pure, so the agent and
// the dry run share it.
func ApplySetVariable(settings Settings, vars *Variables) error {
	name := settings.Text("VariableName")
	value := settings.Value("VariableValue")
	if settings.Bool("List") && !value.IsList() {
		value.List = []string{}
		for line := range strings.Lines(value.Text) {
			if line = strings.TrimSpace(line); line != "" {
				value.List = append(value.List, line)
			}
		}
		value.Text = ""
	}
	value.Secret = value.Secret || settings.Bool("Secret")
	if err := vars.Set(name, value); err != nil {
		return fmt.Errorf("the variable cannot be set: %w", err)
	}
	return nil
}
