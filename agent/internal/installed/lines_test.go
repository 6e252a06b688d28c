package installed

import (
	"strings"
	"testing"
	"time"

	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

func TestLinesOfSteps(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	l := newLines(&out, func() time.Time { return now })
	l.began(wire.Deployment{ID: "d1", Name: "Lab", StepCount: 2})
	l.event(wire.Event{Kind: wire.EventStepStarted, Path: "a", Name: "One\x1b[2J\ntwo", StepNumber: 1})
	now = now.Add(1500 * time.Millisecond)
	l.event(wire.Event{Kind: wire.EventStepFinished, Path: "a", Name: "One", StepNumber: 1, Result: &wire.Result{Status: "failed", Message: "no\u0085disk"},
		Variables: []wire.Variable{{Name: "Password", Value: []byte(`"hunter2"`)}}})
	l.event(wire.Event{Kind: wire.EventStepFinished, Path: "b", Name: "Two", StepNumber: 2, Result: &wire.Result{Status: "skipped"}})
	l.event(wire.Event{Kind: wire.EventStepFinished, Path: "g", Name: "Group", Result: &wire.Result{Status: "skipped", Message: "why"}})
	l.event(wire.Event{Kind: wire.EventVariables})
	want := "Task sequence \"Lab\", 2 steps, deployment d1\nStep 1 of 2: One [2J two\nStep 1 of 2: One: failed (1.5 s): no disk\nStep 2 of 2: Two: left out\nGroup: left out: why\n"
	if out.String() != want {
		t.Errorf("got %q\nwant %q", out.String(), want)
	}
}

func TestNoticesAreLinesOnce(t *testing.T) {
	var out strings.Builder
	l := newLines(&out, time.Now)
	n := screen.NewNotice("Starting", "Looking for the appliance", screen.Calm)
	n.Text, n.List = "not shown while calm", []string{"192.0.2.1:8443"}
	l.shown(n)
	n.List = nil
	l.shown(n)
	n.Headline, n.Tone, n.Text = "No answer", screen.Trouble, "It was looked for.\nHere"
	l.shown(n)
	l.shown(screen.NewProgress("x", 1, time.Now()))
	if want := "Looking for the appliance\n  192.0.2.1:8443\nNo answer: It was looked for. Here\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}
