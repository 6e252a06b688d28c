package steps

import (
	"context"
	"fmt"

	"slipway/tasksequence"
)

func setVariable(_ context.Context, s *Step) (Outcome, error) {
	if err := tasksequence.ApplySetVariable(s.Settings, s.Vars); err != nil {
		return Outcome{}, err
	}
	name := s.Settings.Text("VariableName")
	value, _ := s.Vars.Get(name)
	text := value.String()
	if value.Secret {
		text = tasksequence.Masked
	}
	s.Log("info", fmt.Sprintf("%s = %s", name, text))
	return Outcome{}, nil
}
