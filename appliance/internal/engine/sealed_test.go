package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

const (
	planted = "Sedge-Pipit-91"
	inChild = "Furze-Linnet-27"
)

// secretStep is a Set variable step with settings to fill in.
func secretStep(settings string) string {
	return fmt.Sprintf(`{"id":"pw","name":"Password","definition":"set-variable","settings":{"VariableName":"P",%s}}`, settings)
}

func secretSequence(head, settings string) string {
	return fmt.Sprintf(`{%s"name":"With a secret","steps":[{"id":"g","name":"Group","steps":[%s]}]}`, head, secretStep(settings))
}

const nested = `{"id":"main","version":1,"name":"Main","steps":[
 {"id":"pw","name":"Password","definition":"set-variable","settings":{"VariableName":"P","VariableValue":"` + planted + `","Secret":true}},
 {"id":"call","name":"Call","definition":"run-task-sequence","settings":{"Sequence":"child"}}]}`

func nestedChild() string {
	return secretSequence(`"id":"child","version":1,`, `"VariableValue":["`+inChild+`","b"],"Secret":true`)
}

// stored is everything in the two tables that hold task sequences.
func (b *bench) stored() (all []byte, documents []fleet.Document) {
	b.t.Helper()
	b.check(b.store.View(func(tx *state.Tx) error {
		for s := range tx.Sequences().All() {
			all = append(append(all, s.Body...), '\n')
		}
		for d := range tx.Documents().All() {
			all = append(append(all, d.Body...), '\n')
			documents = append(documents, d)
		}
		return nil
	}))
	return all, documents
}

func (b *bench) without(what string, text []byte) {
	b.t.Helper()
	for _, secret := range []string{planted, inChild} {
		if bytes.Contains(text, []byte(secret)) {
			b.t.Errorf("%s shows the secret %s:\n%s", what, secret, text)
		}
	}
}

// secretOf is the value that the first step would set on the device.
func secretOf(t *testing.T, d wire.Deployment) tasksequence.Value {
	t.Helper()
	a, ok := interpret(t, d).Next().(tasksequence.Execute)
	if !ok {
		t.Fatalf("the device would do %+v", interpret(t, d).Next())
	}
	return a.Settings.Value("VariableValue")
}

func TestSecretSettingsAreSealed(t *testing.T) {
	b := newBench(t)
	b.load(nestedChild())
	b.without("the answer to an import", b.load(nested).Body)
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "main"})
	b.check(err)
	for _, secret := range []string{planted, inChild} {
		if !bytes.Contains(d.Document, []byte(secret)) {
			t.Errorf("the device does not get %s: %s", secret, d.Document)
		}
	}
	if value := secretOf(t, d); value.Text != planted || !value.Secret {
		t.Errorf("the step would set %+v", value)
	}
	all, documents := b.stored()
	b.without("the state", all)
	sum := sha256.Sum256(documents[0].Body)
	b.expect("the hash", b.record(d.ID).Document, hex.EncodeToString(sum[:]))

	_, err = b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: 1, Lines: []wire.LogLine{{Number: 1, Text: "set " + planted + " and " + inChild}}})
	b.check(err)
	lines, _, err := b.engine.ReadLog(d.ID, 1, 10)
	b.check(err)
	b.expect("the log", lines[0].Text, "set *** and ***")

	body, err := b.engine.Document(d.ID)
	b.check(err)
	b.without("the document for people", body)
	shown, err := b.engine.Get(fleet.Token{Kind: fleet.TokenAPI, Role: fleet.RoleAdministrator}, d.ID)
	b.check(err)
	b.without("the document for an API token", shown.Document)
	if value := secretOf(t, shown); value.Text != tasksequence.Masked || !value.Secret {
		t.Errorf("a dry run of what people see sets %+v", value)
	}
	for _, id := range []string{"main", "child"} {
		s, err := b.library.Get(id, 1)
		b.check(err)
		b.without("the library", s.Body)
		text, err := b.library.Export(id, 1, "json")
		b.check(err)
		b.without("an export", text)
		b.expect("problems of an export", len(ValidateDocument(text)), 0)
	}

	b.restart(true)
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("the document after a restart", string(resumed.Document), string(d.Document))
	b.report(d.ID, resumed.Epoch, ended(1, "succeeded"))
	b.token = b.signIn("device-1")
	again, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "main"})
	b.check(err)
	b.expect("the document of the next deployment", b.record(again.ID).Document, b.record(d.ID).Document)
	if _, documents = b.stored(); len(documents) != 1 {
		t.Errorf("%d documents are kept of one version", len(documents))
	}
}

// TestWhatIsSealed: only secret values are, and all of them.
func TestWhatIsSealed(t *testing.T) {
	for settings, want := range map[string]bool{
		`"VariableValue":"` + planted + `","Secret":true`:          true,
		`"VariableValue":["` + planted + `"],"Secret":true`:        true,
		`"VariableValue":4711,"Secret":true`:                       true,
		`"VariableValue":"%A%` + planted + `","Secret":"true"`:     true,
		`"VariableValue":"` + planted + `","Secret":"%Is it one%"`: true,
		`"VariableValue":"` + planted + `","Secret":false`:         false,
		`"VariableValue":"` + planted + `"`:                        false,
		`"VariableValue":"%Generated%","Secret":true`:              false,
		`"VariableValue":"","Secret":true`:                         false,
	} {
		b := newBench(t)
		b.load(secretSequence(`"id":"x",`, settings))
		all, _ := b.stored()
		if got := bytes.Contains(all, []byte(`"VariableValue":{"sealed":1,`)); got != want {
			t.Errorf("%s: sealed is %v: %s", settings, got, all)
		}
		if want {
			b.without(settings, all)
		}
	}
}

// TestStatesOfEarlierBuilds: what stands there unsealed works, and is masked.
func TestStatesOfEarlierBuilds(t *testing.T) {
	b := newBench(t)
	s, err := parse([]byte(strings.Replace(nested, "run-task-sequence", "reboot", 1)))
	b.check(err)
	s.Steps = s.Steps[:1]
	body, err := json.Marshal(s)
	b.check(err)
	b.check(b.store.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Sequences().Put(fleet.Sequence{ID: "main", Version: 1, Name: "Main", Status: "active", Body: body})
	}))
	text, err := b.library.Export("main", 1, "json")
	b.check(err)
	b.without("an export", text)
	b.expect("an export that comes back", b.imported(string(text)), "main:1")
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "main"})
	b.check(err)
	b.expect("the value on the device", secretOf(t, d).Text, planted)
	_, documents := b.stored()
	b.without("a new document", documents[0].Body)

	old := fleet.Document{Hash: strings.Repeat("ab", 32), Body: d.Document}
	b.check(b.store.Update(t.Context(), func(tx *state.Tx) error {
		record, err := tx.Deployments().Get(d.ID)
		if err != nil {
			return err
		}
		record.Document = old.Hash
		return errors.Join(tx.Documents().Put(old), tx.Deployments().Put(record))
	}))
	b.restart(false)
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("the value on the device", secretOf(t, resumed).Text, planted)
	shown, err := b.engine.Document(d.ID)
	b.check(err)
	b.without("an old document", shown)
}

// TestARotationKeepsSequencesReadable goes on with the keyring of an installation.
func TestARotationKeepsSequencesReadable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret.key")
	var ring *secrets.Keyring
	b := newBench(t, func(o *Options) {
		var err error
		if ring, err = secrets.Ensure(context.Background(), o.Store.(*state.Store), file, time.Now()); err != nil {
			t.Fatal(err)
		}
		o.Sealer = ring
	})
	b.load(nestedChild())
	b.load(nested)
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "main"})
	b.check(err)
	all, _ := b.stored()
	b.without("the state", all)
	_, err = ring.Rotate(t.Context(), b.store, file, time.Now())
	b.check(err)
	b.expect("unchanged, under a new key", b.imported(nested), "main:1")
	b.restart(false)
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("the document", string(resumed.Document), string(d.Document))
	b.expect("changed and masked", b.imported(strings.NewReplacer(planted, tasksequence.Masked, "Main", "Changed", `"version":1,`, "").Replace(nested)), "main:2")
	b.report(d.ID, resumed.Epoch, ended(1, "succeeded"))
	b.token = b.signIn("device-1")
	next, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "main"})
	b.check(err)
	b.expect("the value on the device", secretOf(t, next).Text, planted)
}

// TestALostKeyIsToldAndReplaced: what does not open is refused by name, people still
// see the rest, and a new value takes its place.
func TestALostKeyIsToldAndReplaced(t *testing.T) {
	b := newBench(t)
	text := secretSequence(`"id":"x",`, `"VariableValue":"`+planted+`","Secret":true`)
	b.load(text)
	b.library.vault.sealer, b.engine.vault.sealer = lostKey{}, lostKey{}
	_, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "x"})
	if err == nil || !strings.Contains(err.Error(), "VariableValue of step g/pw in task sequence x:1") {
		t.Errorf("start without the key: %v", err)
	}
	_, err = b.library.Export("x", 1, "yaml")
	b.check(err)
	_, err = b.importing(strings.NewReplacer(planted, "***", "Group", "G").Replace(text))
	if !errors.Is(err, errLost) {
		t.Errorf("a mask for what does not open: %v", err)
	}
	b.expect("the value given anew", b.imported(text), "x:2")
}

var errLost = errors.New("the key is lost")

type lostKey struct{ boxSealer }

func (lostKey) Open([]byte, string) ([]byte, error) { return nil, errLost }
