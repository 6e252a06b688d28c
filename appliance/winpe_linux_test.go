package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/winetest"
	"slipway/agent/winetest/script"
	"slipway/appliance/internal/api"
)

// winPE is the agent for Windows in something that says it is WinPE, with an appliance
// that runs in this process. Its disks, its adapters and its clock are made up.
type winPE struct {
	*running
	prefix *winetest.Prefix
	agent  *exec.Cmd
	screen lockedBuffer
	keys   io.Writer
	ended  chan error // once
}

// bootWinPE puts the agent and a boot image's description into a prefix.
func bootWinPE(t *testing.T) *winPE { return bootWinPEWith(t, "") }

// bootWinPEWith is bootWinPE with more lines of the appliance's configuration.
func bootWinPEWith(t *testing.T, more string) *winPE {
	t.Helper()
	r := startWith(t, t.TempDir(), more)
	r.must("slipway-lab\n", "passcode", "set")
	return newWinPE(t, r)
}

// newWinPE is a WinPE whose appliance runs already.
func newWinPE(t *testing.T, r *running) *winPE {
	t.Helper()
	w := &winPE{running: r, prefix: winetest.New(t)}
	w.prefix.WinPE(t)
	winetest.Build(t, filepath.Join(w.prefix.C, "slipway/slipway-agent.exe"), "build", "-tags", "winetest", "-ldflags=-checklinkname=0", "slipway/agent")
	var config struct{ Installation, CA string }
	if err := json.Unmarshal([]byte(w.must("", "agent-config")), &config); err != nil {
		t.Fatal(err)
	}
	image, err := json.Marshal(map[string]any{"format": 1, "id": "0123456789abcdef", "kind": "winpe", "servers": []string{w.https}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"slipway/image.json": string(image), "slipway/installation": config.Installation, "slipway/ca.pem": config.CA} {
		w.put(name, text)
	}
	return w
}

func (w *winPE) put(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.prefix.C, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// power starts the agent, as the image's start.cmd does.
func (w *winPE) power() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	w.t.Cleanup(cancel)
	w.agent = w.prefix.Command(ctx, `C:\slipway\slipway-agent.exe`, "winpe")
	in, err := w.agent.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	w.keys, w.agent.Stdout, w.agent.Stderr = in, &w.screen, &w.screen
	if err := w.agent.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.ended = make(chan error, 1)
	go func() { w.ended <- w.agent.Wait() }()
}

// sees waits for words on the screen.
func (w *winPE) sees(words string) {
	w.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(w.screen.String(), words); time.Sleep(50 * time.Millisecond) {
		failed := words == "Succeeded" && strings.Contains(w.screen.String(), " Failed ")
		if time.Now().After(deadline) || failed || len(w.ended) > 0 && !strings.Contains(w.screen.String(), words) {
			log, _ := os.ReadFile(filepath.Join(w.prefix.C, "slipway/agent.log"))
			w.t.Fatalf("%q does not come. The screen:\n%q\nthe log:\n%s", words, w.tail(), log)
		}
	}
}

// tail is what the screen was sent last.
func (w *winPE) tail() string {
	text := w.screen.String()
	return text[max(0, len(text)-3000):]
}

func (w *winPE) types(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.keys, text); err != nil {
		w.t.Fatal(err)
	}
}

// signsIn goes from the challenge to the choice.
func (w *winPE) signsIn() {
	w.t.Helper()
	w.sees("Passcode")
	w.types("slipway-lab\r")
}

// ends waits until the agent has ended, with exit code 0.
func (w *winPE) ends() {
	w.t.Helper()
	if err := <-w.ended; err != nil && !errors.Is(err, exec.ErrWaitDelay) { // Wine's services hold on to the pipe
		w.t.Errorf("the agent ended: %v\n%q", err, w.tail())
	}
}

// deployment is the only one there is.
func (w *winPE) deployment() api.DeploymentDetail {
	w.t.Helper()
	var list struct{ Deployments []struct{ ID string } }
	if err := json.Unmarshal([]byte(w.must("", "deployment", "list", "--json")), &list); err != nil || len(list.Deployments) != 1 {
		w.t.Fatalf("%+v, %v: %s", list, err, w.must("", "deployment", "list", "--json"))
	}
	var d api.DeploymentDetail
	if err := json.Unmarshal([]byte(w.must("", "deployment", "show", list.Deployments[0].ID, "--json")), &d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// sequence imports a task sequence and makes it the only active one.
func (w *winPE) sequence(text string) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "sequence.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.must("", "sequence", "import", file)
}

// From the challenge to Succeeded, with the real agent and the real appliance.
func TestWinPEFromSignInToSucceeded(t *testing.T) {
	t.Parallel()
	w := bootWinPE(t)
	w.sequence(`{"id":"pe","name":"Aboard WinPE","steps":[
		{"id":"set","name":"Name it","definition":"set-variable","settings":{"VariableName":"ComputerName","VariableValue":"pc-%Architecture%"}},
		{"id":"one","name":"One line","definition":"run-command-line","settings":{"Command":"echo hello %ComputerName% \"in quotes\"& echo Where=here>>%SLIPWAY_VARIABLES%","OutputVariable":"Said"}},
		{"id":"many","name":"Several lines","definition":"run-command-line","settings":{"Command":"set X=%Where%\necho %%X%%>%%SystemDrive%%\\slipway\\many.txt\nexit /b 7","SuccessCodes":[7]}},
		{"id":"ps","name":"PowerShell","definition":"run-powershell-script","settings":{"Script":"Write-Output 'é'","Parameters":"-Name \"two words\""}},
		{"id":"only","name":"Only here","definition":"set-variable","environments":["winpe"],"settings":{"VariableName":"Seen","VariableValue":"%Said%"}},
		{"id":"off","name":"End quietly","definition":"set-variable","settings":{"VariableName":"FinishAction","VariableValue":"shutdown"}}]}`)
	fakes := w.prefix.Fakes(t,
		script.Call{Program: "powershell", Args: []string{"-ExecutionPolicy", "Bypass", "-NoLogo", "-NoProfile", "-NonInteractive", "-File", "*.ps1", "-Name", "two words"},
			InputAt: 6, Input: "\ufeffWrite-Output 'é'", Output: "from PowerShell\r\n"},
		script.Call{Program: "wpeutil", Args: []string{"shutdown"}})
	w.power()
	w.signsIn()
	w.sees("Choose a task sequence")
	w.types("1")
	w.sees("Succeeded")
	w.ends()
	fakes.Done(t)
	d := w.deployment()
	text, _ := json.Marshal(d)
	if d.Deployment.Status != "succeeded" {
		t.Errorf("the deployment: %s", text)
	}
	for _, want := range []string{`pc-x64`, `hello pc-x64`, `in quotes`, `WinPE`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the deployment does not hold %q: %s", want, text)
		}
	}
	many, err := os.ReadFile(filepath.Join(w.prefix.C, "slipway/many.txt"))
	if err != nil || strings.TrimSpace(string(many)) != "here" {
		t.Errorf("the batch file wrote %q, %v", many, err)
	}
	if entries, err := os.ReadDir(filepath.Join(w.prefix.C, "slipway/state")); err != nil || len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "tmp" {
		t.Errorf("left of the sign-in: %v, %v", entries, err)
	}
}

// The hooks of the image run after the sign-in and before the first step, in the order of
// their names, each as what it is. One that fails is named and holds up nothing, and the
// sign-in is nowhere in what they are given.
func TestWinPERunsTheHooksAfterTheSignIn(t *testing.T) {
	t.Parallel()
	w := bootWinPE(t)
	w.sequence(`{"id":"pe","name":"Aboard with hooks","steps":[
		{"id":"one","name":"A step","definition":"run-command-line","settings":{"Command":"echo step>>C:\\slipway\\order.txt"}},
		{"id":"off","name":"End quietly","definition":"set-variable","settings":{"VariableName":"FinishAction","VariableValue":"shutdown"}}]}`)
	const dir = "slipway/hooks/after-sign-in/"
	w.put(dir+"10-first.cmd", "@set >C:\\slipway\\environment.txt\r\n@echo first>>C:\\slipway\\order.txt\r\n@echo it is so\r\n@exit /b 3\r\n")
	w.put(dir+"20 second (two).BAT", "@echo second from %~dp0>>C:\\slipway\\order.txt\r\n")
	w.put(dir+"30-power.ps1", "")
	w.put(dir+"notes.txt", "not a program")
	fakes := w.prefix.Fakes(t,
		script.Call{Program: "powershell", Args: []string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", `C:\slipway\hooks\after-sign-in\30-power.ps1`}},
		script.Call{Program: "40-fake", Args: []string{}, Exit: 9},
		script.Call{Program: "wpeutil", Args: []string{"shutdown"}})
	fakes.Place(t, "wpeutil", filepath.Join(w.prefix.C, dir+"40-fake.exe"))
	w.power()
	w.sees("Passcode")
	if _, err := os.Stat(filepath.Join(w.prefix.C, "slipway/order.txt")); err == nil {
		t.Error("a hook ran before the sign-in")
	}
	w.signsIn()
	w.sees(`The hook after-sign-in\10-first.cmd failed: exit code 3`)
	w.sees("Choose a task sequence")
	w.types("1")
	w.sees("Succeeded")
	w.ends()
	fakes.Done(t)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(w.prefix.C, "slipway", name))
		if err != nil {
			t.Error(err)
		}
		return strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	if got := read("order.txt"); got != "first\nsecond from C:\\slipway\\hooks\\after-sign-in\\\nstep\n" {
		t.Errorf("the order was %q", got)
	}
	environment := read("environment.txt")
	if strings.Contains(environment, "slipway-lab") || strings.Contains(strings.ReplaceAll(environment, script.Variable, ""), "SLIPWAY_") || !strings.Contains(environment, "SystemRoot") {
		t.Errorf("a hook was given:\n%s", environment)
	}
	for _, want := range []string{`10-first.cmd failed: exit code 3`, `40-fake.exe failed: exit code 9`, "it is so"} {
		if log := read("agent.log"); !strings.Contains(strings.ReplaceAll(log, `\\`, `\`), want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}
