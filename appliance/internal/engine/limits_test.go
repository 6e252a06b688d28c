package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// manySteps is a sequence of n steps.
func manySteps(n int) string {
	var out strings.Builder
	out.WriteString(`{"id":"many","name":"Many","steps":[`)
	for i := range n {
		fmt.Fprintf(&out, `{"id":"s%d","name":"S","definition":"set-variable","settings":{"VariableName":"X"}},`, i)
	}
	return strings.TrimSuffix(out.String(), ",") + "]}"
}

// TestHugeSequences: what is too large is refused where it comes in, in time, and
// what just fits runs.
func TestHugeSequences(t *testing.T) {
	b := newBench(t)
	begin := time.Now()
	_, err := b.importing(manySteps(tasksequence.MaxNodes + 1))
	var problems tasksequence.Problems
	if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Field != "steps" || problems[0].Remedy == "" {
		t.Errorf("one step too many: %v", err)
	}
	_, err = b.importing(manySteps(tasksequence.MaxNodes))
	b.expectError("more than a record holds", err, ErrTooLarge)
	b.imported(manySteps(7000))
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "many"})
	b.check(err)
	b.expect("steps", d.StepCount, 7000)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestHugeVariables: a variable of a megabyte is refused by name, wherever it comes
// from, and what was there before stays.
func TestHugeVariables(t *testing.T) {
	b := newBench(t)
	huge, err := json.Marshal(strings.Repeat("x", 1<<20))
	b.check(err)
	_, err = b.importing(`{"id":"v","name":"V","variables":{"Big":` + string(huge) + `},"steps":[{"name":"a","definition":"reboot"}]}`)
	var problems tasksequence.Problems
	if !errors.As(err, &problems) || problems[0].Field != "variables.Big" || !strings.Contains(problems[0].Detail, "at most 65536 are allowed") {
		t.Errorf("a default: %v", err)
	}
	b.load(twoSteps)
	variables := []wire.Variable{{Name: "Big", Value: huge}}
	var field *FieldError
	if _, err = b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "two", Variables: variables}); !errors.As(err, &field) || !strings.Contains(err.Error(), "Big") {
		t.Errorf("at the start: %v", err)
	}
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "two"})
	b.check(err)
	event := wire.Event{Number: 1, Time: b.clock.Now(), Kind: wire.EventVariables, Variables: variables}
	_, err = b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: d.Epoch, Events: []wire.Event{event}})
	if !errors.As(err, &field) || !strings.Contains(err.Error(), "Big") {
		t.Errorf("in an event: %v", err)
	}
	event.Variables[0].Value = json.RawMessage(`"small"`)
	answer, err := b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: d.Epoch, Events: []wire.Event{event}})
	b.check(err)
	b.expect("kept", answer.Kept, int64(1))
}
