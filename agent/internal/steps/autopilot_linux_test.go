package steps

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

func TestHardwareHashIsReadOffTheScript(t *testing.T) {
	serial, hash, err := parseHash("\r\nserial= 5CD1 \r\nhash=AAAA\r\nhash=BB=\r\nsomething else\r\n")
	if serial != "5CD1" || hash != "AAAABB=" || err != nil {
		t.Errorf("%q, %q, %v", serial, hash, err)
	}
	for _, text := range []string{"", "serial=\nhash=AA", "serial=x\nhash=\n", "serial=x"} {
		if _, _, err := parseHash(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	b := &bounded{most: 5}
	for range 3 {
		if n, err := b.Write([]byte("abcd")); n != 4 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if _, err := io.Copy(b, strings.NewReader("efgh")); err != nil { // as a program's output comes
		t.Error(err)
	}
	if b.String() != "abcda" {
		t.Errorf("%q", b.String())
	}
}

func TestAutopilotIsWaitedFor(t *testing.T) {
	state := func(s string) wire.AutopilotState { return wire.AutopilotState{State: s, Detail: "it is " + s} }
	vars := tasksequence.NewVariables()
	if err := vars.Set("GROUPTAG", tasksequence.Value{Text: "Kiosk"}); err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, a *answers, settings map[string]any) (Outcome, []string, error) {
		s, lines := step(t, tasksequence.RegisterWithAutopilot, settings, vars)
		s.Machine.Autopilot = a
		out, err := register(ctx, s, wire.AutopilotRegistration{Serial: "S", HardwareHash: "AAAA"})
		return out, *lines, err
	}
	a := &answers{list: []wire.AutopilotState{state(wire.AutopilotImporting), state(wire.AutopilotImporting), state(wire.AutopilotAssigning), state(wire.AutopilotAssigned)}}
	out, lines, err := run(t.Context(), a, map[string]any{"AssignedUser": "ada@contoso.example"})
	if err != nil || len(a.asked) != 4 || out.Message != "it is assigned" || len(lines) != 3 {
		t.Errorf("%+v, %v, %q, %v", out, a.asked, lines, err)
	}
	for _, r := range a.asked {
		if r != (wire.AutopilotRegistration{Serial: "S", HardwareHash: "AAAA", GroupTag: "Kiosk", User: "ada@contoso.example"}) {
			t.Errorf("asked with %+v", r)
		}
	}
	a = &answers{list: []wire.AutopilotState{state(wire.AutopilotAssigning)}}
	if out, _, err := run(t.Context(), a, map[string]any{"WaitForProfile": false}); err != nil || out.Message != "The device is registered." {
		t.Errorf("without a profile: %+v, %v", out, err)
	}
	if _, _, err := run(t.Context(), &answers{err: errors.New("no consent")}, nil); err == nil || err.Error() != "no consent" {
		t.Errorf("a refusal: %v", err)
	}
	if _, _, err := run(t.Context(), &answers{list: []wire.AutopilotState{state("odd")}}, nil); err == nil {
		t.Error("an odd answer was taken")
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, errors.New("time is up"))
	defer cancel()
	if _, _, err := run(ctx, &answers{list: []wire.AutopilotState{state(wire.AutopilotAssigning)}}, nil); err == nil || !strings.Contains(err.Error(), "time is up; it had come so far: it is assigning") {
		t.Errorf("at the end of its time: %v", err)
	}
}
