package steps

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"slipway/tasksequence"
)

// powerShell runs the step's script with a PowerShell: program and the options before
// -File.
func powerShell(ctx context.Context, s *Step, program ...string) (Outcome, error) {
	arguments, err := splitWords(s.Settings.Text("Parameters"))
	if err != nil {
		return Outcome{}, fmt.Errorf("the option Parameters: %w", err)
	}
	script, remove, err := scriptFile(s)
	if err != nil {
		return Outcome{}, err
	}
	defer remove()
	variables, err := s.Machine.Files.Temporary("variables-*")
	if err != nil {
		return Outcome{}, fmt.Errorf("make the file for variables: %w", err)
	}
	defer func() { _ = s.Machine.Files.Remove(variables) }()
	code, err := s.Machine.Exec.Run(ctx, Command{
		Args:   append(append(program, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", script), arguments...),
		Dir:    s.Vars.Text(tasksequence.ContentVariable("Content")),
		Env:    append(environment(s.Vars), variablesFile+"="+variables),
		Stdout: func(line string) { s.Log("info", line) },
		Stderr: func(line string) { s.Log("warn", line) },
	})
	if err != nil {
		return Outcome{}, err
	}
	if err := takeVariables(s, variables); err != nil {
		return Outcome{ExitCode: code}, err
	}
	if !s.Succeeded(code) {
		return Outcome{ExitCode: code}, fmt.Errorf("the script ended with exit code %d", code)
	}
	return Outcome{ExitCode: code}, nil
}

// scriptFile is the script's path: a file in memory, or one of the content item.
func scriptFile(s *Step) (name string, remove func(), err error) {
	if text := s.Settings.Text("Script"); text != "" {
		name, err := s.Machine.Files.Temporary("script-*.ps1")
		if err != nil {
			return "", nil, fmt.Errorf("make a file for the script: %w", err)
		}
		remove := func() { _ = s.Machine.Files.Remove(name) }
		if runtime.GOOS == "windows" {
			text = "\ufeff" + text // without it Windows PowerShell does not take a file for UTF-8
		}
		if err := s.Machine.Files.Write(name, []byte(text)); err != nil {
			remove()
			return "", nil, fmt.Errorf("write the script: %w", err)
		}
		return name, remove, nil
	}
	folder := s.Vars.Text(tasksequence.ContentVariable("Content"))
	rel := path.Clean("/" + strings.ReplaceAll(s.Settings.Text("ScriptName"), `\`, "/"))
	if folder == "" || rel == "/" {
		return "", nil, errors.New("there is no script: write one into Script, or name a content item and the script in it (ScriptName)")
	}
	return filepath.Join(folder, rel), func() {}, nil
}

// splitWords splits at blanks; quotes of either kind hold words together.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	open := false
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, open = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if open {
				words = append(words, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quotation mark (%c) is not closed", quote)
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
