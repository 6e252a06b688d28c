package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/tasksequence"
)

const hallPrinter = `
id: add-printer
name: Add printer
options:
  - {name: Queue, type: text, required: true}
script: {text: "lpadmin -p \"$SLIPWAY_OPT_QUEUE\""}
`

// TestOwnStepsTemplatesAndOrders goes by command line through a step of one's own, a
// sequence that uses it, and a deployment of that: paused, continued, cancelled, with
// its log in every format.
func TestOwnStepsTemplatesAndOrders(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	step, sequence := filepath.Join(dir, "printer.yaml"), filepath.Join(dir, "printing.json")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(step, hallPrinter)
	write(sequence, `{"id":"printing","name":"Printing","steps":[{"id":"add","name":"Add it","definition":"add-printer","settings":{"Queue":"hall"}}]}`)

	if code, _, problem := r.cli("", "sequence", "import", sequence); code == 0 || !strings.Contains(problem, `no step definition "add-printer"`) {
		t.Errorf("a sequence of an unknown step: %d %s", code, problem)
	}
	if out := r.must("", "step", "import", step); out != "add-printer:1  Add printer\n" {
		t.Errorf("import answers %q", out)
	}
	write(step, strings.Replace(hallPrinter, "type: text", "type: magic", 1))
	if code, _, problem := r.cli("", "step", "import", step); code == 0 || !strings.Contains(problem, "options[0].type") {
		t.Errorf("a wrong definition: %d %s", code, problem)
	}
	var exported tasksequence.Definition
	if err := json.Unmarshal([]byte(r.must("", "step", "export", "add-printer")), &exported); err != nil || exported.Script == nil || exported.Version != 1 {
		t.Errorf("exported %+v, %v", exported, err)
	}
	if out := r.must("", "step", "list"); !strings.Contains(out, "add-printer") || !strings.Contains(out, "run-command-line") {
		t.Errorf("steps %s", out)
	}
	r.must("", "sequence", "import", sequence)

	token := strings.TrimSpace(r.must("", "token", "add", "reader", "--role", "viewer"))
	var found api.SequenceProblems
	validate := func(steps string) {
		t.Helper()
		found = api.SequenceProblems{}
		if code := r.request(insecure(nil, ""), "POST", "/api/v1/admin/sequences/validation", token, json.RawMessage(`{"name":"V","steps":[`+steps+`]}`), &found); code != http.StatusOK {
			t.Fatalf("validation answers %d", code)
		}
	}
	const disk = `{"id":"r","name":"R","definition":"reboot","settings":{"RebootRequested":"disk"}},`
	validate(disk + `{"id":"a","name":"A","definition":"add-printer","settings":{"Queue":"x"}}`)
	if len(found.Problems) != 1 || !found.Problems[0].Warning || found.Problems[0].Step != "r" || found.Problems[0].Field != "settings.RebootRequested" {
		t.Errorf("warned of %+v", found)
	}
	validate(disk + `{"id":"a","name":"A","definition":"add-printer","timeout":-1}`)
	if len(found.Problems) != 2 || found.Problems[0].Warning || found.Problems[0].Field != "timeout" || found.Problems[1].Remedy == "" {
		t.Errorf("problems %+v", found)
	}

	var offered api.Templates
	if err := json.Unmarshal([]byte(r.must("", "sequence", "templates", "--json")), &offered); err != nil {
		t.Fatal(err)
	}
	for _, template := range offered.Templates {
		if code, _, problem := r.cli("", "sequence", "create", "--template", template.ID); (code == 0) != (len(template.Content) == 0) {
			t.Errorf("create of %s without content: %d %s", template.ID, code, problem)
		}
	}
	if code, _, problem := r.cli("", "sequence", "create", "--template", "solaris"); code == 0 || !strings.Contains(problem, "no such template") {
		t.Errorf("an unknown template: %d %s", code, problem)
	}

	r.must("correct horse battery staple\n", "passcode", "set")
	device := r.boot(testDevice)
	if code := device.signIn("correct horse battery staple"); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	d := device.start("printing")
	orders := func() []string {
		t.Helper()
		var answer wire.EventAnswer
		if code := device.call("POST", "/deployments/"+d.ID+"/events", wire.EventBatch{Epoch: d.Epoch}, &answer); code != http.StatusOK {
			t.Fatalf("a heartbeat answers %d", code)
		}
		return answer.Orders
	}
	for _, order := range []string{"pause", "continue"} {
		r.must("", "deployment", order, d.ID)
		if got := orders(); !slices.Equal(got, []string{order}) {
			t.Errorf("after %s the device hears %q", order, got)
		}
	}
	orders()
	if code, _, problem := r.cli("", "deployment", "continue", d.ID); code == 0 || !strings.Contains(problem, "not paused") {
		t.Errorf("continue of a running deployment: %d %s", code, problem)
	}
	at := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	lines := wire.LogBatch{Epoch: d.Epoch, Lines: []wire.LogLine{{Number: 1, Time: at, Level: "warn", Step: "add", Text: "paper is low"}}}
	if code := device.call("POST", "/deployments/"+d.ID+"/logs", lines, nil); code != http.StatusOK {
		t.Fatalf("logs answer %d", code)
	}
	for format, want := range map[string]string{
		"text":    "2026-11-29T08:00:00Z warn  [add] paper is low\n",
		"jsonl":   `{"n":1,"t":"2026-11-29T08:00:00Z","level":"warn","step":"add","text":"paper is low"}` + "\n",
		"cmtrace": `<![LOG[paper is low]LOG]!><time="08:00:00.000+000" date="11-29-2026" component="add" context="" type="2" thread="1" file="">` + "\r\n",
	} {
		if out := r.must("", "deployment", "log", d.ID, "--format", format); out != want {
			t.Errorf("%s: %q", format, out)
		}
	}
	if code, _, problem := r.cli("", "deployment", "log", d.ID, "--format", "xml"); code == 0 || !strings.Contains(problem, "cmtrace") {
		t.Errorf("an unknown format: %d %s", code, problem)
	}
	r.must("", "deployment", "cancel", d.ID)
	if got := orders(); !slices.Equal(got, []string{"cancel"}) {
		t.Errorf("after cancel the device hears %q", got)
	}
}
