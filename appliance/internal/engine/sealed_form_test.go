package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew; only for a form that was never released")

// TestStoredFormOfSecrets holds the form in which secrets stand in states.
func TestStoredFormOfSecrets(t *testing.T) {
	b := newBench(t)
	b.load(nestedChild())
	b.load(nested)
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "main"})
	b.check(err)
	now, documents := b.stored()
	b.expect("documents", len(documents), 1)
	now = bytes.ReplaceAll(now, documents[0].Body, bare(t, documents[0].Body))
	path := filepath.Join("testdata", "sealed-1.jsonl")
	if *updateGolden {
		b.check(os.WriteFile(path, now, 0o600))
	}
	golden, err := os.ReadFile(path)
	b.check(err)
	if !bytes.Equal(golden, now) {
		t.Errorf("the stored form is another one:\n%s", now)
	}
	lines := bytes.Split(bytes.TrimSpace(golden), []byte("\n"))
	opened, err := b.engine.vault.document(lines[len(lines)-1], b.engine.vault.open)
	b.check(err)
	b.expect("what it opens to", string(opened), string(bare(t, d.Document)))
}

// bare is a document without its definitions, whose help may be worded anew.
func bare(t *testing.T, body []byte) []byte {
	t.Helper()
	doc, err := tasksequence.ParseDocument(body)
	if err != nil {
		t.Fatal(err)
	}
	doc.Definitions = nil
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func FuzzSealedSetting(f *testing.F) {
	good, err := (boxSealer{}).Seal([]byte(`"x"`), "sequence/a:1/s/VariableValue")
	if err != nil {
		f.Fatal(err)
	}
	valid, err := json.Marshal(sealedSetting{Sealed: 1, Data: good})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	for _, seed := range []string{`"text"`, `["a"]`, `{}`, `{"sealed":1}`, `{"sealed":2,"data":"","more":1}`, `{"sealed":1,"data":"AA==","x":1}`, `{"sealed":1,"data":"AA=="} {}`, `{"sealed":1,"data":"!"}`, " {", "", `{"Sealed":1,"DATA":"AA=="}`} {
		f.Add([]byte(seed))
	}
	v := vault{sealer: boxSealer{}, catalogue: tasksequence.BuiltinCatalogue}
	f.Fuzz(func(t *testing.T, setting []byte) {
		if data, err := readSealed(setting); err == nil && (len(data) == 0 || !isSealed(setting)) {
			t.Fatalf("%q is taken for a sealed value", setting)
		}
		s := tasksequence.Sequence{Format: 1, ID: "a", Version: 1, Steps: []tasksequence.Node{{ID: "s", Definition: tasksequence.SetVariable,
			Settings: map[string]json.RawMessage{"VariableValue": setting, "Secret": json.RawMessage("true")}}}}
		if opened, err := v.open(s); err == nil && isSealed(setting) && !json.Valid(opened.Steps[0].Settings["VariableValue"]) {
			t.Fatalf("%q opens to what is no JSON", setting)
		}
		shown, err := v.mask(s)
		if err != nil {
			t.Fatal(err)
		}
		if isSealed(setting) && string(shown.Steps[0].Settings["VariableValue"]) != `"***"` {
			t.Fatalf("%q is shown as %q", setting, shown.Steps[0].Settings["VariableValue"])
		}
	})
}

func TestSealedByANewerVersion(t *testing.T) {
	if _, err := readSealed(json.RawMessage(`{"sealed":2,"box":"x"}`)); !errors.Is(err, errSealedNewer) {
		t.Errorf("got %v", err)
	}
}
