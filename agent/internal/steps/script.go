package steps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"slipway/tasksequence"
)

// script runs what an administrator's own definition brings along. The step's
// settings stand in its environment as SLIPWAY_OPT_<NAME>.
func script(ctx context.Context, s *Step) (Outcome, error) {
	if s.Script == nil {
		return Outcome{}, errors.New("the step definition has no script")
	}
	env, err := optionEnvironment(s)
	if err != nil {
		return Outcome{}, err
	}
	folder := s.Vars.Text(tasksequence.ContentVariable(tasksequence.ScriptContent))
	file := filepath.Join(folder, filepath.FromSlash(s.Script.File))
	if s.Script.Content == "" {
		if file, err = s.Machine.Files.Temporary("script-*" + scriptExtension(s.Script.Interpreter)); err != nil {
			return Outcome{}, fmt.Errorf("make the file for the script: %w", err)
		}
		defer func() { _ = s.Machine.Files.Remove(file) }()
		if err := s.Machine.Files.Write(file, []byte(s.Script.Text)); err != nil {
			return Outcome{}, fmt.Errorf("write the script: %w", err)
		}
	} else if folder == "" {
		return Outcome{}, errors.New("the script's content is not here")
	}
	args := interpreter(file)
	if words := strings.Fields(s.Script.Interpreter); len(words) > 0 {
		args = append(words, file)
	}
	return runCommand(ctx, s, Command{
		Args: args, Dir: folder, Env: env,
		Stdout: func(line string) { s.Log("info", line) },
		Stderr: func(line string) { s.Log("warn", line) },
	})
}

// optionEnvironment gives the settings to the script: of a content option the folder,
// the items of a list on one line each. What the environment cannot carry is an
// error, because the script would take it for not set.
func optionEnvironment(s *Step) ([]string, error) {
	var env []string
	for _, name := range s.Options {
		value := s.Settings.Value(name)
		text := strings.Join(slices.Concat(value.List, one(value.Text)), "\n")
		if folder, ok := s.Vars.Get(tasksequence.ContentVariable(name)); ok {
			text = folder.Text
		}
		switch {
		case len(text) > maxEnvironment:
			return nil, fmt.Errorf("%s: the value is %d bytes long; a script can be given %d", name, len(text), maxEnvironment)
		case strings.ContainsRune(text, 0):
			return nil, fmt.Errorf("%s: the value holds a zero byte, which a script cannot be given", name)
		}
		env = append(env, "SLIPWAY_OPT_"+tasksequence.EnvironmentName(name)+"="+text)
	}
	return env, nil
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
