//go:build lab

package boottest

import (
	"os"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// The step ends the agent's worker, whose child it is, the first time it runs.
const crashSequence = `{
  "format": 1, "id": "0f8c2d7e-5b1a-4c39-9e64-51a9c0de00d2", "version": 1, "status": "active",
  "name": "A crash",
  "steps": [
    {"id": "before", "name": "Before", "definition": "set-variable", "settings": {"VariableName": "Before", "VariableValue": "yes"}},
    {"id": "crash", "name": "Crash", "definition": "run-command-line", "settings": {"AfterInterruption": "run-again",
      "Command": "[ -e /run/crashed ] || { touch /run/crashed; kill -9 $PPID; sleep 60; }"}},
    {"id": "after", "name": "After", "definition": "set-variable", "settings": {"VariableName": "After", "VariableValue": "yes"}}
  ]
}`

// The agent is killed in the middle of a step: PID 1 says so and starts it again, and
// the deployment goes on where it was without another sign-in. The image is not one
// of a lab: no key opens a shell, and no passcode is taken from its command line.
func TestAgentCrash(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	file := s.run.Path("crash.json")
	must(t, os.WriteFile(file, []byte(crashSequence), 0o644))
	s.slipway(t, "", "sequence", "import", file)
	m := s.direct(t, lab.MachineConfig{Name: "crash", Cmdline: "slipway.passcode=" + lab.Passcode})
	expect(t, m, time.Minute, "Passcode")
	must(t, m.Console.Type(shellKey))
	enter(t, m, lab.Passcode)
	expect(t, m, time.Minute, "Choose a task sequence")
	expect(t, m, 10*time.Second, "A crash") // before the sample, by its name
	must(t, m.Console.Type("\r"))
	expect(t, m, time.Minute, `The agent ended unexpectedly \(signal killed\)`)
	expect(t, m, 10*time.Second, `It starts again in 2 seconds\.`)
	expect(t, m, 2*time.Minute, "Succeeded|Failed|Passcode")
	s.succeeds(t, m, time.Minute)
	results := s.results(t)
	if len(results) != 3 {
		t.Fatalf("%d results: %+v", len(results), results)
	}
	for _, r := range results {
		if r.Status != "succeeded" {
			t.Errorf("step %d: %s, %s", r.Number, r.Status, r.Message)
		}
	}
	text := m.Console.Text()
	if _, after, _ := strings.Cut(text, "It starts again"); strings.Contains(after, "Passcode") {
		t.Error("a passcode was asked for again")
	}
	if strings.Contains(text, "Shell") || strings.Contains(text, "Rescue") {
		t.Error("the image is not one of a lab and offers a shell")
	}
}

// shellKey opens the rescue shell on a terminal without F9.
const shellKey = "\x18"

// The rescue shell of a lab image opens at the prompt and is left for the prompt.
func TestRescueShell(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	started := time.Now()
	s.slipway(t, "", "image", "build", "linux", "--lab", "--packages", packages(t))
	t.Logf("lab image built in %.1f s", time.Since(started).Seconds())
	m := s.direct(t, lab.MachineConfig{Name: "rescue"})
	expect(t, m, time.Minute, "Passcode")
	must(t, m.Console.Type(shellKey))
	expect(t, m, 20*time.Second, "Rescue shell of a lab image")
	expect(t, m, 20*time.Second, "slipway# ")
	must(t, m.Console.Type("echo $((6*7)) from $(cat /proc/1/comm)\r"))
	expect(t, m, 20*time.Second, "42 from ")
	must(t, m.Console.Type("exit\r"))
	expect(t, m, 20*time.Second, "Passcode")
	enter(t, m, lab.Passcode)
	expect(t, m, 30*time.Second, "Choose a task sequence")
}
