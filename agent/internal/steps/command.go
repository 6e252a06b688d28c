package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/tasksequence"
)

// variablesFile is the environment variable that names a file; lines NAME=value
// that the command writes there become task sequence variables.
const variablesFile = "SLIPWAY_VARIABLES"

const maxVariablesFile = 1 << 20

// runCommand runs a command of a step with the variables in its environment, takes
// over the variables that it sets, and judges its exit code.
func runCommand(ctx context.Context, s *Step, c Command) (Outcome, error) {
	file, err := s.Machine.Files.Temporary("variables-*")
	if err != nil {
		return Outcome{}, fmt.Errorf("make the file for variables: %w", err)
	}
	defer func() { _ = s.Machine.Files.Remove(file) }()
	c.Env = append(environment(s.Vars), append(c.Env, variablesFile+"="+file)...)
	code, err := s.Machine.Exec.Run(ctx, c)
	if err != nil {
		return Outcome{}, err
	}
	// What the command set is taken over also when it failed: its way of saying why.
	if err := takeVariables(s, file); err != nil {
		return Outcome{ExitCode: code}, err
	}
	if !s.Succeeded(code) {
		return Outcome{ExitCode: code}, fmt.Errorf("the command ended with exit code %d", code)
	}
	return Outcome{ExitCode: code}, nil
}

// environment gives the variables to a command as SLIPWAY_<NAME>: upper case,
// "-" and "." as "_"; the items of a list on one line each. Of the step's private
// values only the folders of its content are among them.
func environment(vars *tasksequence.Variables) []string {
	var env []string
	add := func(name string, value tasksequence.Value) {
		text := value.Text
		if value.IsList() {
			text = strings.Join(value.List, "\n")
		}
		if len(text) > maxEnvironment || strings.ContainsRune(text, 0) {
			return
		}
		env = append(env, "SLIPWAY_"+tasksequence.EnvironmentName(name)+"="+text)
	}
	for name, value := range vars.All() {
		add(name, value)
	}
	for name, value := range vars.Private() {
		if strings.HasPrefix(name, tasksequence.ContentVariable("")) {
			add(name, value)
		}
	}
	return env
}

// takeVariables reads the lines that the command wrote. A line without "=" is
// an error, because somebody meant something by it.
func takeVariables(s *Step, file string) error {
	text, err := s.Machine.Files.Read(file, maxVariablesFile)
	if err != nil {
		return fmt.Errorf("read the variables that the command set: %w", err)
	}
	var errs []error
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			errs = append(errs, fmt.Errorf("the command wrote a line without \"=\" to $%s", variablesFile))
			continue
		}
		if err := s.Vars.Set(strings.TrimSpace(name), tasksequence.Value{Text: value}); err != nil {
			errs = append(errs, fmt.Errorf("the command set a variable: %w", err))
		}
	}
	return errors.Join(errs...)
}
