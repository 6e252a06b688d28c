package tasksequence

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSampleIsValid(t *testing.T) {
	s := Sample()
	if s.ID != SampleID || s.Name != "Hello from Slipway" || s.Status != Active || s.Version != 1 {
		t.Errorf("sample is %s %q %s version %d", s.ID, s.Name, s.Status, s.Version)
	}
	if problems := Validate(s, sources(among())); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestSampleRuns runs the sample's harmless commands with this machine's shell.
func TestSampleRuns(t *testing.T) {
	vars := NewVariables()
	if err := vars.SetSystem(VariableEnvironment, Value{Text: LinuxPE}); err != nil {
		t.Fatal(err)
	}
	r := newRun(t, pinned(t, Sample()), vars)
	var last string
	for {
		switch a := r.Next().(type) {
		case Execute:
			last = runHere(t, a, vars)
			record(t, r, Result{Path: a.Path, Status: Succeeded})
		case Skip:
			record(t, r, a.Result())
		case Done:
			if a.Status != Succeeded || !strings.Contains(last, "This machine has") || strings.Contains(last, "%") {
				t.Errorf("%+v, last output %q", a, last)
			}
			return
		default:
			t.Fatalf("%+v", a)
		}
	}
}

func record(t *testing.T, r *Run, result Result) {
	t.Helper()
	if err := r.Record(result); err != nil {
		t.Fatal(err)
	}
}

func runHere(t *testing.T, a Execute, vars *Variables) string {
	t.Helper()
	if a.Definition.ID == SetVariable {
		if err := ApplySetVariable(a.Settings, vars); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/bin/sh", "-c", a.Settings.Text("Command")).CombinedOutput()
	if err != nil && a.Path != "machine/addresses" && a.Path != "machine/memory" { // ip and free are the boot image's
		t.Errorf("%s: %v\n%s", a.Path, err, out)
	}
	if name := a.Settings.Text("OutputVariable"); name != "" {
		if err := vars.Set(name, Value{Text: strings.TrimSpace(string(out))}); err != nil {
			t.Fatal(err)
		}
	}
	return string(out)
}
