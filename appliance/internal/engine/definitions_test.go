package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

func ownStep(more, script string) string {
	return fmt.Sprintf(`{%s"id":"add-printer","name":"Add printer","options":[{"name":"Queue","type":"text","required":true},{"name":"Key","type":"text","secret":true}],"script":{"text":%q}}`, more, script)
}

const printing = `{"id":"p","name":"Printing","steps":[{"id":"add","name":"Add","definition":"add-printer","settings":{"Queue":"hall","Key":"hunter2"}}]}`

func (b *bench) define(text string) (string, error) {
	d, err := b.library.ImportDefinition(b.t.Context(), boss, []byte(text))
	return d.Key(), err
}

func TestVersionsOfOwnSteps(t *testing.T) {
	b := newBench(t)
	for _, step := range []struct{ text, want string }{
		{ownStep("", "1"), "add-printer:1"}, {ownStep("", "1"), "add-printer:1"}, {ownStep("", "2"), "add-printer:2"},
		{ownStep(`"version":1,`, "1"), "add-printer:1"}, {ownStep(`"version":5,`, "5"), "add-printer:5"},
		{"id: add-printer\nname: Add printer\nscript:\n  text: six\n", "add-printer:6"},
	} {
		got, err := b.define(step.text)
		b.check(err)
		b.expect(step.text, got, step.want)
	}
	_, err := b.define(ownStep(`"version":1,`, "changed"))
	b.expectError("change of a version", err, ErrImmutable)
	var problems tasksequence.Problems
	if _, err = b.define(`{"id":"reboot","name":"x","script":{"text":"x"}}`); !errors.As(err, &problems) || problems[0].Field != "id" {
		t.Errorf("a built-in id: %v", err)
	}
	b.restart(true)
	all, err := b.library.Definitions()
	b.check(err)
	b.expect("definitions", len(all), len(tasksequence.Builtin())+4)
	text, err := b.library.ExportDefinition("add-printer", 2, "yaml")
	b.check(err)
	again, err := b.define(string(text))
	b.check(err)
	b.expect("exported and imported", again, "add-printer:2")
	_, err = b.library.ExportDefinition("add-printer", 3, "")
	b.expectError("no such version", err, ErrNotFound)
	b.expect("audit", strings.Count(b.audit.actions(), "step.imported"), 4)
}

func TestOwnStepsAreCheckedPinnedAndKeptSecretLikeBuiltInOnes(t *testing.T) {
	b := newBench(t)
	_, err := b.importing(printing)
	if err == nil || !strings.Contains(err.Error(), `there is no step definition "add-printer"`) {
		t.Errorf("before the definition: %v", err)
	}
	_, err = b.define(ownStep("", "echo one"))
	b.check(err)
	if _, err = b.importing(strings.ReplaceAll(printing, `"Queue":"hall",`, "")); err == nil || !strings.Contains(err.Error(), "settings.Queue: a value is needed") {
		t.Errorf("without a required option: %v", err)
	}
	b.imported(printing)
	shown, err := b.library.Get("p", 0)
	b.check(err)
	if strings.Contains(string(shown.Body), "hunter2") {
		t.Errorf("the secret is shown: %s", shown.Body)
	}
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "p"})
	b.check(err)
	_, err = b.define(ownStep("", "echo two")) // after the start: nothing of it reaches the deployment
	b.check(err)
	d, err = b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	var doc tasksequence.Document
	b.check(json.Unmarshal(d.Document, &doc))
	b.expect("script", doc.Definitions["add-printer:1"].Script.Text, "echo one")
	if !strings.Contains(string(d.Document), "hunter2") {
		t.Error("the device does not get the secret")
	}
	lines := ValidateDocument([]byte(printing))
	b.expect("offline, unknown", len(lines), 1)
	lines = ValidateDocument([]byte(printing), []byte(ownStep("", "x")))
	b.expect("offline, with the definition", len(lines), 0)
}

func TestTheExampleOfTheDocumentationCanBeImported(t *testing.T) {
	page, err := os.ReadFile("../../../docs/steps.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page has no example")
	}
	if key, err := newBench(t).define(example); err != nil || key != "add-printer:1" {
		t.Errorf("got %s, %v", key, err)
	}
}
