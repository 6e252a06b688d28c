package runner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

func TestNothingIsDoneWhenALaterStepCannotRun(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	unknown := run("later", "true")
	unknown.Definition = "from-a-newer-version"
	maybe := unknown
	maybe.ID = "maybe"
	if err := json.Unmarshal([]byte(`{"variable":"Never","exists":true}`), &maybe.Condition); err != nil {
		t.Fatal(err)
	}
	newer := tasksequence.Definition{Format: 1, ID: unknown.Definition, Version: 1, Name: "Fly", Executor: "fly",
		Options: []tasksequence.Option{{Name: "Command", Type: tasksequence.TypeText}}}
	for _, tt := range []struct {
		node   tasksequence.Node
		status string
	}{{unknown, Failed}, {maybe, Succeeded}} {
		b := newBench(t, run("first", "touch "+mark), tt.node)
		b.Document.Definitions = map[string]tasksequence.Definition{newer.Key(): newer}
		out, err := b.run(t, b.start(t))
		if err != nil || out.Status != tt.status {
			t.Errorf("%s: got %+v, %v", tt.node.ID, out, err)
		}
		_, err = os.Stat(mark)
		if ran := err == nil; ran != (tt.status == Succeeded) {
			t.Errorf("%s: the first step ran: %v", tt.node.ID, ran)
		}
		if tt.status == Failed && !strings.Contains(out.Message, "does not know the step Fly. The agent is older than the appliance: build the boot image again") {
			t.Errorf("message %q", out.Message)
		}
		if !slices.ContainsFunc(b.face.lines, func(l string) bool { return strings.Contains(l, "does not know the step Fly") }) {
			t.Errorf("%s: screen %q", tt.node.ID, b.face.lines)
		}
	}
}

// TestWhatANewerVersionAddedIsNotPassedOver: a newer version of a step that the agent
// knows, or an option that it does not, ends the deployment before its first step.
func TestWhatANewerVersionAddedIsNotPassedOver(t *testing.T) {
	reboot, ok := tasksequence.BuiltinCatalogue().Find(tasksequence.Reboot, 0)
	if !ok {
		t.Fatal("no such definition")
	}
	for want, change := range map[string]func(d *tasksequence.Definition, n *tasksequence.Node){
		"": func(d *tasksequence.Definition, _ *tasksequence.Node) { // it is there, and not used
			d.Options = append(slices.Clone(d.Options), tasksequence.Option{Name: "Gently", Type: tasksequence.TypeBoolean})
		},
		"does not know the option Gently of the step Reboot. The agent is older": func(d *tasksequence.Definition, n *tasksequence.Node) {
			d.Options = append(slices.Clone(d.Options), tasksequence.Option{Name: "Gently", Type: tasksequence.TypeBoolean})
			n.Settings = map[string]json.RawMessage{"Gently": json.RawMessage("true")}
		},
		"does not know version 2 of the step Reboot. The agent is older": func(d *tasksequence.Definition, n *tasksequence.Node) {
			d.Version, n.DefinitionVersion = 2, 2
		},
	} {
		mark := filepath.Join(t.TempDir(), "ran")
		d, n := reboot, tasksequence.Node{ID: "r", Name: "Restart it", Definition: tasksequence.Reboot, DefinitionVersion: reboot.Version}
		change(&d, &n)
		b := newBench(t, run("first", "touch "+mark), n)
		b.Document.Definitions = map[string]tasksequence.Definition{d.Key(): d}
		out, err := b.run(t, b.start(t))
		_, missing := os.Stat(mark)
		if want == "" {
			if err != nil || out.Status != Rebooting || missing != nil {
				t.Errorf("an option that is not used: %+v, %v, %v", out, err, missing)
			}
			continue
		}
		if err != nil || out.Status != Failed || out.Step != "Restart it" || !strings.Contains(out.Message, want) || missing == nil {
			t.Errorf("got %+v, %v, the first step ran: %v; want %q", out, err, missing == nil, want)
		}
	}
}

// TestADocumentOfANewerVersionFailsHonestly, and is not loaded for ever.
func TestADocumentOfANewerVersionFailsHonestly(t *testing.T) {
	for want, text := range map[string]string{
		"has format 2; this version reads format 1": `{"format":2,"sequence":{"format":2}}`,
		`unknown member "soundsLike" in a condition`: `{"format":1,"sequence":{"format":1,"name":"T","steps":[{"id":"a","name":"A",
			"definition":"reboot","condition":{"variable":"Model","soundsLike":"x"}}]}}`,
		"from-a-newer-version": `{"format":1,"sequence":{"format":1,"name":"T","steps":[{"id":"a","name":"A","definition":"from-a-newer-version","definitionVersion":1}]}}`,
	} {
		for begun, lead := range map[bool]string{false: "Nothing was done: ", true: "It cannot go on: "} {
			b := newBench(t, run("first", "true"))
			d := b.start(t)
			d.Document = json.RawMessage(text)
			if begun {
				d.Results = append(d.Results, wire.Result{Path: "first", Status: Succeeded})
			}
			out, err := b.run(t, d)
			if err != nil || out.Status != Failed || !strings.HasPrefix(out.Message, lead) || !strings.Contains(out.Message, want) || !strings.Contains(out.Message, "build the boot image again") {
				t.Errorf("%s: got %+v, %v", want, out, err)
			}
			b.Do(func() {
				if b.Deployment.Status != Failed || !strings.Contains(b.Deployment.Message, want) {
					t.Errorf("%s: the record says %q, %q", want, b.Deployment.Status, b.Deployment.Message)
				}
			})
		}
	}
}

// windowsPE is an appliance with or without an image for the disk.
type windowsPE struct {
	err   error
	lacks map[string]string
}

func (w windowsPE) Available(context.Context) (string, map[string]string, error) {
	return "0123456789abcdef", w.lacks, w.err
}
func (w windowsPE) Stage(context.Context, func(int, string), func(string, string)) (string, error) {
	return "fedc", w.err
}

// TestWindowsPEIsAskedForBeforeTheFirstStep: a deployment that is to restart an installed
// Windows into Windows PE does nothing when there is none.
func TestWindowsPEIsAskedForBeforeTheFirstStep(t *testing.T) {
	script := tasksequence.Node{ID: "ps", Name: "In Windows PE", Definition: tasksequence.RunPowerShellScript, DefinitionVersion: 1,
		Settings: map[string]json.RawMessage{"Script": json.RawMessage(`"x"`)}, Environments: []string{tasksequence.WinPE}}
	for _, c := range []struct {
		missing error
		lacks   map[string]string
		words   string
	}{
		{nil, nil, ""},
		{nil, map[string]string{"hta": "HTML applications"}, ""},
		{errors.New("No Windows PE image for x64 is served."), nil, "No Windows PE image for x64 is served."},
		{nil, map[string]string{tasksequence.PartPowerShell: "PowerShell"}, "needs PowerShell, which the Windows PE image 0123456789ab lacks"},
	} {
		mark := filepath.Join(t.TempDir(), "ran")
		restart := tasksequence.Node{ID: "pe", Name: "To Windows PE", Definition: tasksequence.Reboot, DefinitionVersion: 1}
		b := newBench(t, run("first", "touch "+mark), restart, script)
		b.runner.Environment, b.runner.Machine.WinPE = tasksequence.FullOS, windowsPE{c.missing, c.lacks}
		out, err := b.run(t, b.start(t))
		_, statErr := os.Stat(mark)
		switch {
		case err != nil:
			t.Error(err)
		case c.words == "" && (out.Status != Rebooting || statErr != nil):
			t.Errorf("with an image: %+v, %v", out, statErr)
		case c.words != "" && (out.Status != Failed || statErr == nil || !strings.Contains(out.Message, "Nothing was done") || !strings.Contains(out.Message, c.words)):
			t.Errorf("%s: %+v, %v", c.words, out, statErr)
		}
	}
}
