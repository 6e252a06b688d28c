package tasksequence

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew; only for a form that was never released")

// everything uses every member of the document form.
const everything = `{
  "format": 1, "id": "everything", "version": 4, "status": "active", "name": "Everything", "description": "Uses every member.", "architecture": "x64",
  "variables": {"Text": "a", "List": ["a", "b"], "Number": 5},
  "steps": [
    {"id": "group", "name": "Group", "description": "d", "continueOnError": true, "environments": ["linuxpe"],
     "condition": {"and": [{"variable": "Make", "equals": "Dell"}, {"or": [{"variable": "Memory", "greater": 4096}, {"not": {"variable": "IsVM", "exists": true}}]},
       {"variable": "Model", "in": ["A", "B"]}, {"variable": "A", "notEquals": "x"}, {"variable": "A", "contains": "x"}, {"variable": "A", "matches": "^x"}, {"variable": "A", "less": "10.0"}]},
     "steps": [
       {"id": "command", "name": "Command", "disabled": true, "definition": "run-command-line", "definitionVersion": 1, "timeout": 60, "retries": 2, "retryWait": 5, "successCodes": [0, 3010],
        "settings": {"Command": "echo <&>", "WorkingFolder": "/tmp", "OutputVariable": "Out", "OutputSecret": true, "AfterInterruption": "run-again"}},
       {"id": "empty", "name": "Empty", "steps": []}]},
    {"id": "set", "name": "Set", "definition": "set-variable", "settings": {"VariableName": "X", "VariableValue": ["%Text%", "b"], "List": false, "Secret": true}},
    {"id": "files", "name": "Files", "definition": "run-command-line", "settings": {"Command": "ls", "Content": "app"}},
    {"id": "child", "name": "Child", "definition": "run-task-sequence", "settings": {"Sequence": "child"}},
    {"id": "reboot", "name": "Reboot", "definition": "reboot", "settings": {"RebootRequested": "disk", "RebootMessage": "m", "RebootDelay": 3}}]}`

const goldenChild = `{"id":"child","version":2,"name":"Child","steps":[{"id":"set","name":"Set","definition":"set-variable","settings":{"VariableName":"Y"}}]}`

// TestReleasedDocumentForm holds the form that deployments are pinned to: agents in
// boot images read it for years.
func TestReleasedDocumentForm(t *testing.T) {
	doc := pinned(t, parse(t, everything), parse(t, goldenChild))
	now, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "document-format-1.json")
	if *update {
		if err := os.WriteFile(path, append(now, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	released, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(released), now) {
		t.Errorf("the document form is not the released one any more:\n%s", now)
	}
	back, err := ParseDocument(released)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.MarshalIndent(back, "", "  ")
	if err != nil || !bytes.Equal(again, now) {
		t.Errorf("reading the released form loses something (%v):\n%s", err, again)
	}
	vars := varsOf(t, "Make", "HP")
	expectTrace(t, drive(t, newRun(t, back, vars), vars), "1/4 set", "2/4 files", "3/4 child>set", "4/4 reboot", "succeeded ")
}

func TestDocumentsOfANewerFormat(t *testing.T) {
	if _, err := ParseDocument([]byte(`{"format":2,"sequence":{"format":1}}`)); err == nil {
		t.Error("a newer document was taken")
	}
	if _, err := ParseDocument([]byte(`{"format":1,"sequence":{"format":1,"new":1,"steps":[]},"also":[]}`)); err != nil {
		t.Errorf("a member that was added later: %v", err)
	}
}

func FuzzSequence(f *testing.F) {
	f.Add([]byte(everything))
	f.Add(sampleText)
	f.Add([]byte(`{"name":"x","steps":[{"name":"a","definition":"reboot"},{"name":"g","steps":[{"name":"b","definition":"run-task-sequence","settings":{"Sequence":"child:2"}}]}]}`))
	for _, seed := range []string{`{}`, `{"steps":null}`, `{"steps":[{"steps":[]}]}`, `{"variables":{"A":null}}`, `[[[`, `{"name":"x","name":"y"}`, `{"steps":[{"condition":{"not":{}}}]}`, "\xff{"} {
		f.Add([]byte(seed))
	}
	child, err := ParseSequence([]byte(goldenChild))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSequence(text)
		if err != nil {
			return
		}
		if len(Validate(s, sources(among(child)))) > 0 {
			return
		}
		written, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%q is valid and cannot be written: %v", text, err)
		}
		again, err := ParseSequence(written)
		if err != nil {
			t.Fatalf("%q is valid, but not as written: %q: %v", text, written, err)
		}
		if twice, _ := json.Marshal(again); !bytes.Equal(twice, written) {
			t.Fatalf("%q changes when written twice: %q", written, twice)
		}
		vars := NewVariables()
		run, err := NewRun(pinned(t, s, child), vars, nil)
		if err != nil {
			t.Fatalf("%q is valid and cannot be run: %v", text, err)
		}
		drive(t, run, vars)
	})
}

func FuzzDocument(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "document-format-1.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte(`{"format":1,"sequence":{"format":1,"id":"a","steps":[{"id":"x","definition":"run-task-sequence","definitionVersion":1,"settings":{"Sequence":"a"}}]},"children":{"a":{"id":"a"}}}`))
	f.Add([]byte(`{"format":1,"sequence":{"format":1,"steps":[{"id":"x"},{"id":"x","steps":[{"condition":{"variable":"A","exists":true}}]}]},"definitions":{":0":{}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := ParseDocument(text)
		if err != nil {
			return
		}
		vars := NewVariables()
		run, err := NewRun(doc, vars, nil)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, n := range run.Plan().Nodes {
			if seen[n.Path] {
				t.Fatalf("%q has the path %q twice", text, n.Path)
			}
			seen[n.Path] = true
		}
		drive(t, run, vars)
	})
}
