package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/api"
	"slipway/fleet"
)

// buildAgent builds slipway-agent. without are pieces of its source, by file, that it is
// to lack: so it is one of an older version.
func buildAgent(t *testing.T, without map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for name, line := range without {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), line) != 1 {
			t.Fatalf("%s: not once %q", name, line)
		}
		old := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		put(t, old, []byte(strings.Replace(string(text), line, "", 1)), 0o644)
		overlay.Replace[filepath.Join(root, name)] = old
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "overlay.json"), text, 0o644)
	out := filepath.Join(dir, "slipway-agent")
	if text, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "slipway/agent").CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v: %s", err, text)
	}
	return out
}

// deploy runs an agent as on an installed system, in namespaces where it finds no init
// and can restart nothing.
func (r *running) deploy(agent, sequence string) (code int, out string) {
	r.t.Helper()
	dir := r.t.TempDir()
	config := filepath.Join(dir, "agent.json")
	put(r.t, config, []byte(r.must("", "agent-config", "--server", r.https, "--set", "TSID="+sequence, "--set", "Passcode=slipway-lab")), 0o600)
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
		`mount -t tmpfs tmpfs /run && "$0" start --unattended --config "$1" --state "$2"`, agent, config, filepath.Join(dir, "state"))
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.t.Fatalf("start the agent: %v", err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// TestAnAgentOlderThanTheAppliance: a step that it does not know ends the deployment
// before its first step; device, console and log say which step and what to do. Nothing
// is lost: the agent of the appliance's own version carries the same sequence out.
func TestAnAgentOlderThanTheAppliance(t *testing.T) {
	r := start(t, t.TempDir())
	r.must("slipway-lab\n", "passcode", "set")
	token := strings.TrimSpace(r.must("", "token", "add", "one", "--role", "administrator"))
	mark := filepath.Join(t.TempDir(), "began")
	r.must(fmt.Sprintf(`{"id":"s","name":"S","status":"active","steps":[
		{"id":"first","name":"Begin","definition":"run-command-line","settings":{"Command":"echo began >> %s"}},
		{"id":"later","name":"Later","steps":[{"id":"colour","name":"Choose a colour","definition":"set-variable","settings":{"VariableName":"Colour","VariableValue":"blue"}}]}]}`, mark), "sequence", "import", "-")
	older := buildAgent(t, map[string]string{"agent/internal/steps/executors_linux.go": "\t\ttasksequence.SetVariable:    setVariable,\n",
		"tasksequence/catalogue.go": "\t\tsetVariable(),\n"})
	code, out := r.deploy(older, "s")
	const want = "the agent on this device does not know the step Set variable. The agent is older than the appliance: put the appliance's own in its place."
	if code == 0 || !strings.Contains(out, `Failed: step "Choose a colour": Nothing was done, because the task sequence cannot be carried out here. step later/colour (Choose a colour): definition: `+want) {
		t.Errorf("the older agent: %d %s", code, out)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the first step ran")
	}
	var list api.Deployments
	newest := func() fleet.Deployment {
		t.Helper()
		if code := r.request(insecure(nil, ""), "GET", "/api/v1/admin/deployments", token, nil, &list); code != http.StatusOK || len(list.Deployments) == 0 {
			t.Fatalf("deployments: %d, %+v", code, list)
		}
		return list.Deployments[0]
	}
	if d := newest(); d.Status != "failed" || !strings.Contains(d.Message, want) {
		t.Errorf("the record: %+v", d)
	}
	code, out = r.deploy(buildAgent(t, nil), "s")
	if text, err := os.ReadFile(mark); code != 0 || err != nil || string(text) != "began\n" {
		t.Errorf("the appliance's own agent: %d %s; the first step left %q, %v", code, out, text, err)
	}
	if d := newest(); d.Status != "succeeded" {
		t.Errorf("the record: %+v", d)
	}
	r.stop()
}

// TestASequenceFromANewerVersion is refused as a whole: the text says where it comes
// from and what to do, and what the library holds stays as it is.
func TestASequenceFromANewerVersion(t *testing.T) {
	r := start(t, t.TempDir())
	const good = `{"id":"s","name":"S","status":"active","steps":[{"id":"w","name":"W","definition":"reboot"}]}`
	r.must(good, "sequence", "import", "-")
	before := r.must("", "sequence", "export", "s")
	for text, want := range map[string][]string{
		`{"format":2,"id":"s","name":"S","rings":["canary"],"steps":[{"id":"w","name":"W","definition":"reboot","after":"dawn"}]}`: {
			"format: the task sequence: format 2 comes from a newer version of Slipway; this one reads format 1", "Update this appliance, then import it again."},
		`{"id":"s","name":"S","steps":[{"id":"g","name":"G","steps":[{"id":"w","name":"Fly away","definition":"fly"}]}]}`: {
			`g/w.definition: Fly away: there is no step definition "fly"`, "slipway step import", "a built-in one of a newer version needs an update of this appliance"},
		`{"id":"s","name":"S","steps":[{"id":"w","name":"Restart","definition":"reboot","definitionVersion":7}]}`: {
			"w.definitionVersion: Restart: reboot has no version 7", "update this appliance"},
		`{"id":"s","name":"S","steps":[{"id":"w","name":"Restart","definition":"reboot","settings":{"Gently":true}}]}`: {
			`w.settings.Gently: Restart: Reboot has no option "Gently"`},
	} {
		code, _, out := r.cli(text, "sequence", "import", "-")
		if code == 0 {
			t.Errorf("taken: %s", text)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in %s", text, w, out)
			}
		}
	}
	code, _, out := r.cli(`{"format":2,"id":"own","name":"Own","sandbox":"strict","script":{"interpreter":"sh","text":"true"}}`, "step", "import", "-")
	if code == 0 || !strings.Contains(out, "the step definition: format 2 comes from a newer version of Slipway") {
		t.Errorf("a step definition: %d %s", code, out)
	}
	if after := r.must("", "sequence", "export", "s"); after != before {
		t.Errorf("the library changed:\n%s\n%s", before, after)
	}
	b := r.boot(testDevice)
	r.must("slipway-lab\n", "passcode", "set")
	b.signIn("slipway-lab")
	if d := b.start("s"); d.Status == "" {
		t.Errorf("what was there does not start: %+v", d)
	}
	r.stop()
}
