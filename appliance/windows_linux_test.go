package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/winetest"
	"slipway/agent/winetest/script"
)

// windows is an installed Windows, of Wine, with the agent in a folder of its
// administrator's, and an appliance that runs in this process.
type windows struct {
	*winPE
}

const (
	startedFrom = `C:\tools\slipway-agent.exe`
	ourFolder   = "ProgramData/Slipway"
	realReg     = `C:\windows\system32\reg.exe` // not a fake
	agentLog    = "windows/logs/Slipway/agent.log"
)

func bootWindows(t *testing.T) *windows {
	t.Helper()
	w := &windows{&winPE{running: start(t, t.TempDir()), prefix: winetest.New(t)}}
	w.must("slipway-lab\n", "passcode", "set")
	winetest.Build(t, filepath.Join(w.prefix.C, "tools/slipway-agent.exe"), "build", "-tags", "winetest", "-ldflags=-checklinkname=0", "slipway/agent")
	return w
}

// config writes a configuration with these variables and returns its path.
func (w *windows) config(name string, variables map[string]string) string {
	w.t.Helper()
	var c map[string]any
	if err := json.Unmarshal([]byte(w.must("", "agent-config", "--server", w.https)), &c); err != nil {
		w.t.Fatal(err)
	}
	c["Variables"] = variables
	text, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(name, string(text))
	return `C:\` + strings.ReplaceAll(name, "/", `\`)
}

// says runs the agent to its end and returns its exit code and what it said.
func (w *windows) says(args ...string) (code int, text string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	out, err := w.prefix.Command(ctx, startedFrom, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		w.t.Fatalf("%v\n%s", err, out)
	}
	return 0, string(out)
}

// there reports whether a file is on drive C:.
func (w *windows) there(name string) bool {
	_, err := os.Lstat(filepath.Join(w.prefix.C, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	return err == nil
}

func (w *windows) read(name string) string {
	text, err := os.ReadFile(filepath.Join(w.prefix.C, name))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// waits waits until something is so.
func (w *windows) waits(what string, so func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("it does not come that %s; the log:\n%s", what, w.read(agentLog))
		}
	}
}

// isService reports whether Windows has the agent's service.
func (w *windows) isService() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return w.prefix.Command(ctx, realReg, "query", `HKLM\System\CurrentControlSet\Services\SlipwayAgent`).Run() == nil
}

const twoHalves = `{"id":"halves","name":"Over a restart","steps":[
	{"id":"one","name":"First half","definition":"run-command-line","environments":["fullos"],"settings":{"Command":"echo first>>C:\\halves.txt"}},
	{"id":"again","name":"Restart","definition":"reboot","settings":{"RebootRequested":"disk"}},
	{"id":"two","name":"Second half","definition":"run-command-line","environments":["fullos"],"settings":{"Command":"echo second>>C:\\halves.txt"}}]}`

func TestWindowsFromStartOverARestartToItsRemoval(t *testing.T) {
	t.Parallel()
	w := bootWindows(t)
	w.sequence(twoHalves)
	config := w.config("tools/agent.json", map[string]string{"TSID": "halves", "Passcode": "slipway-lab"})
	fakes := w.prefix.Fakes(t, script.Call{Program: "shutdown", Args: []string{"/r", "/f", "/t", "0", "/d", "p:4:1"}})

	w.prefix.StayOn(t) // or the next program starts Windows, and the service, before the restart
	code, said := w.says("start", "--config", config)
	fakes.Done(t)
	if code != 4 || !strings.Contains(said, "The computer restarts, and the deployment goes on afterwards") {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	if got := strings.Fields(w.read("halves.txt")); len(got) != 1 {
		t.Errorf("before the restart: %q", got)
	}
	for _, name := range []string{"deployment/slipway-agent.exe", "deployment/agent.json", "state/token.json", "state/deployment"} {
		if !w.there(ourFolder + "/" + name) {
			t.Errorf("%s is missing", name)
		}
	}
	if !w.isService() {
		t.Fatal("there is no service")
	}
	fakes.Expect(t) // nothing more
	w.prefix.Restart(t)
	w.waits("the deployment ends", func() bool {
		return w.deployment().Deployment.Status != "running" && w.deployment().Deployment.Status != "rebooting"
	})
	d := w.deployment()
	if text, _ := json.Marshal(d); d.Deployment.Status != "succeeded" {
		t.Errorf("the deployment: %s\nthe log:\n%s", text, w.read(agentLog))
	}
	if got := strings.Join(strings.Fields(w.read("halves.txt")), " "); got != "first second" {
		t.Errorf("the halves: %q", got)
	}
	w.waits("the agent is gone", func() bool { return !w.there(ourFolder) })
	w.waits("the service is gone", func() bool { return !w.isService() })
	if !w.there("tools/slipway-agent.exe") || !w.there("tools/agent.json") {
		t.Error("what the administrator put there is gone too")
	}
	fakes.Done(t)
	if log := w.read(agentLog); strings.Contains(log, "slipway-lab") || !strings.Contains(log, "Succeeded") {
		t.Errorf("the log:\n%s", log)
	}
}

func TestWindowsRefusesWhoMayNotChangeIt(t *testing.T) {
	t.Parallel()
	w := bootWindows(t)
	w.sequence(twoHalves)
	config := w.config("tools/agent.json", map[string]string{"TSID": "halves", "Passcode": "slipway-lab"})
	w.prefix.Fakes(t)
	w.prefix.Env = append(w.prefix.Env, "SLIPWAY_TEST_ORDINARY=1")
	if code, said := w.says("start", "--config", config); code != 2 || !strings.Contains(said, "Run as administrator") {
		t.Errorf("without elevation: %d, %s", code, said)
	}
	if w.there(ourFolder) || w.there("halves.txt") {
		t.Error("something was begun")
	}
	w.prefix.Env = w.prefix.Env[:len(w.prefix.Env)-1]
	if err := os.Chmod(filepath.Join(w.prefix.C, "tools/agent.json"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, said := w.says("start", "--config", config); code != 2 || !strings.Contains(said, "icacls") {
		t.Errorf("a configuration that everybody may change: %d, %s", code, said)
	}
	if code, said := w.says("start"); code != 2 || !strings.Contains(said, `C:\ProgramData\Slipway\agent.json`) {
		t.Errorf("without a configuration: %d, %s", code, said)
	}
}

// Whatever the end, nothing stays: neither of a deployment that failed, nor of one whose
// state is gone, as after a restore of the computer.
func TestWindowsKeepsNothingOfADeploymentThatDidNotSucceed(t *testing.T) {
	t.Parallel()
	w := bootWindows(t)
	w.sequence(twoHalves)
	w.sequence(`{"id":"fails","name":"Fails","steps":[
		{"id":"one","name":"Breaks","definition":"run-command-line","environments":["fullos"],"settings":{"Command":"exit /b 7"}}]}`)
	config := w.config("tools/agent.json", map[string]string{"TSID": "fails", "Passcode": "slipway-lab"})
	fakes := w.prefix.Fakes(t)
	w.prefix.StayOn(t)
	code, said := w.says("start", "--config", config)
	fakes.Done(t)
	if code != 1 || !strings.Contains(said, "exit code 7") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	if w.there(ourFolder) {
		t.Error("the agent is left")
	}
	// Its service is not looked for: Wine keeps the entry of one that never ran.

	fakes.Expect(t, script.Call{Program: "shutdown", Args: []string{"/r", "/f", "/t", "0", "/d", "p:4:1"}})
	config = w.config("tools/agent.json", map[string]string{"TSID": "halves", "Passcode": "slipway-lab"})
	if code, said := w.says("start", "--config", config); code != 4 || !w.isService() {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	if err := os.RemoveAll(filepath.Join(w.prefix.C, ourFolder, "state")); err != nil {
		t.Fatal(err)
	}
	w.prefix.Restart(t)
	w.waits("the agent is gone", func() bool { return !w.there(ourFolder) })
	w.waits("the service is gone", func() bool { return !w.isService() })
	if got := strings.Fields(w.read("halves.txt")); len(got) != 1 {
		t.Errorf("something went on without a deployment: %q", got)
	}
	fakes.Done(t)
}
