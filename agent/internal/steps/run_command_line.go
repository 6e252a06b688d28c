package steps

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"slipway/tasksequence"
)

const maxOutput = tasksequence.MaxVariableValue

func runCommandLine(ctx context.Context, s *Step) (Outcome, error) {
	output := s.Settings.Text("OutputVariable")
	secret := s.Settings.Bool("OutputSecret")
	var captured strings.Builder
	overflow := false
	show := func(level string) func(string) {
		return func(line string) {
			if !secret {
				s.Log(level, line)
			}
		}
	}
	c, remove, err := shellCommand(s, s.Settings.Text("Command"))
	if err != nil {
		return Outcome{}, err
	}
	defer remove()
	c.Dir = cmp.Or(s.Settings.Text("WorkingFolder"), s.Vars.Text(tasksequence.ContentVariable("Content")))
	c.Stdout = func(line string) {
		if output != "" {
			if overflow = overflow || captured.Len()+len(line) > maxOutput; !overflow {
				captured.WriteString(line + "\n")
			}
		}
		show("info")(line)
	}
	c.Stderr = show("warn")
	done, err := runCommand(ctx, s, c)
	if err != nil || output == "" {
		return done, err
	}
	if overflow {
		return done, fmt.Errorf("the output is longer than the %d bytes that the variable %s can hold", maxOutput, output)
	}
	return done, s.Vars.Set(output, tasksequence.Value{Text: strings.TrimRight(captured.String(), "\r\n"), Secret: secret})
}
