package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

func (b *bench) variables(d wire.Deployment) string {
	b.t.Helper()
	var all []string
	for _, v := range d.Variables {
		shown := v.Name + "=" + string(v.Value)
		if v.Secret {
			shown += "(secret)"
		}
		all = append(all, shown)
	}
	return strings.Join(all, " ")
}

func TestVariablesAreRecorded(t *testing.T) {
	b := newBench(t)
	d := b.begin(wire.Variable{Name: "make", Value: text("QEMU")}, wire.Variable{Name: "COLOUR", Value: text("red")})
	b.expect("at the start", b.variables(d), `Colour="red" make="QEMU"`)
	event := finished(1, "a", "succeeded")
	event.Variables = []wire.Variable{{Name: "Make", Value: text("Dell")}, {Name: "Disks", Value: json.RawMessage(`["sda","sdb"]`)}}
	b.report(d.ID, 1, event, wire.Event{Number: 2, Kind: wire.EventVariables, Variables: []wire.Variable{{Name: "Colour", Value: json.RawMessage(`[]`)}}})
	b.restart(true)
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("after a restart", b.variables(resumed), `Colour=[] Disks=["sda","sdb"] make="Dell"`)
}

// TestADeploymentBeginsWithTheDevicesVariables: they come before the defaults of the
// sequence, and what the device sends comes before them; a secret stays one.
func TestADeploymentBeginsWithTheDevicesVariables(t *testing.T) {
	b := newBench(t)
	b.check(b.store.Update(t.Context(), func(tx *state.Tx) error {
		d, err := tx.Devices().Get(b.token.DeviceID)
		if err != nil {
			return err
		}
		sealed, err := b.engine.opts.Sealer.Seal(text(secretValue), fleet.VariablePurpose(d.ID, "JoinPassword"))
		if err != nil {
			return err
		}
		d.Variables = []fleet.DeviceVariable{{Name: "colour", Value: text("green")}, {Name: "JoinPassword", Secret: true, Sealed: sealed}, {Name: "Make", Value: text("as typed")}}
		return tx.Devices().Put(d)
	}))
	d := b.begin(wire.Variable{Name: "Make", Value: text("QEMU")}, wire.Variable{Name: "joinpassword", Value: text("sent")})
	b.expect("at the start", b.variables(d), `Colour="green" JoinPassword="sent"(secret) Make="QEMU"`)
	shown, err := b.engine.Deployment(d.ID)
	b.check(err)
	for _, v := range shown.Variables {
		if strings.EqualFold(v.Name, "JoinPassword") && (len(v.Value) > 0 || len(v.Sealed) > 0) {
			t.Errorf("people are shown %+v", v)
		}
	}
}

const secretValue = "correct-horse-battery"

// TestSecretsAreNowhereInClear reports a secret in all ways and then looks for it in
// every file below the data folder.
func TestSecretsAreNowhereInClear(t *testing.T) {
	b := newBench(t)
	d := b.begin(wire.Variable{Name: "Password", Value: text(secretValue), Secret: true})
	b.expect("for the device", b.variables(d), `Colour="blue" Password="`+secretValue+`"(secret)`)

	failed := finished(1, "a", "failed")
	failed.Result.Message = "login with " + secretValue + " and second-secret failed"
	failed.Variables = []wire.Variable{{Name: "Second", Value: text("second-secret"), Secret: true}, {Name: "password", Value: text(secretValue + "2")}}
	b.report(d.ID, 1, failed)
	lines := []wire.LogLine{{Number: 1, Text: "using " + secretValue + "2"}, {Number: 2, Text: "and second-secret"}}
	_, err := b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: 1, Lines: lines})
	b.check(err)
	_, err = b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: 1, Progress: &wire.Progress{Path: "a", Text: "second-secret"}})
	b.check(err)
	p, _ := b.engine.Progress(d.ID)
	b.expect("progress", p.Text, "***")

	script, err := b.engine.Get(fleet.Token{Kind: fleet.TokenAPI, Role: fleet.RoleViewer}, d.ID)
	b.check(err)
	b.expect("for a script", b.variables(script), `Colour="blue" Password="***"(secret) Second="***"(secret)`)
	b.expect("message", script.Results[0].Message, "login with *** and *** failed")
	own, err := b.engine.Get(b.token, d.ID)
	b.check(err)
	b.expect("for the device", b.variables(own), `Colour="blue" Password="`+secretValue+`2"(secret) Second="second-secret"(secret)`)

	b.report(d.ID, 1, wire.Event{Number: 2, Kind: wire.EventFinished, Status: "failed", Message: "no " + secretValue + "2"})
	for _, entry := range b.audit.entries {
		if strings.Contains(fmt.Sprint(entry), secretValue) {
			t.Errorf("audit: %v", entry)
		}
	}
	b.restart(false)
	expectNowhere(t, b.dir, secretValue, "second-secret")
}

func expectNowhere(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("looked through %d files: %v", files, err)
	}
}

func TestHugeVariablesAreRefused(t *testing.T) {
	b := newBench(t)
	b.load(twoSteps)
	_, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "two",
		Variables: []wire.Variable{{Name: "Big", Value: text(strings.Repeat("x", 1<<20))}}})
	b.expectField("a value of 1 MB", err, "variables.Big")

	d := b.begin()
	var kept int64
	for i := range 40 {
		event := wire.Event{Number: kept + 1, Kind: wire.EventVariables, Variables: []wire.Variable{
			{Name: fmt.Sprintf("V%d", i), Value: text(strings.Repeat("x", tasksequence.MaxVariableValue-10)), Secret: i%2 == 0}}}
		answer, err := b.events(d.ID, 1, event)
		if err != nil {
			b.expectField("too much in all", err, "variables")
			break
		}
		kept = answer.Kept
	}
	if kept < 7 || kept > 12 {
		t.Errorf("%d values of 64 KiB were kept", kept)
	}
	b.expect("kept in the record", b.record(d.ID).Kept, kept)
	b.report(d.ID, 1, wire.Event{Number: kept + 1, Kind: wire.EventVariables, Variables: []wire.Variable{{Name: "V1", Value: text("small")}}})
}

// countingSealer counts what is sealed.
type countingSealer struct {
	boxSealer
	sealed *int
}

func (s countingSealer) Seal(plain []byte, purpose string) ([]byte, error) {
	*s.sealed++
	return s.boxSealer.Seal(plain, purpose)
}

// TestAFloodOfVariablesIsRefusedEarly: the work is done within a transaction, which
// others wait for.
func TestAFloodOfVariablesIsRefusedEarly(t *testing.T) {
	var sealed int
	b := newBench(t, func(o *Options) { o.Sealer = countingSealer{sealed: &sealed} })
	d := b.begin()
	event := wire.Event{Number: 1, Kind: wire.EventVariables}
	for i := range 5000 {
		event.Variables = append(event.Variables, wire.Variable{Name: fmt.Sprintf("V%d", i), Value: text("x"), Secret: true})
	}
	_, err := b.events(d.ID, 1, event)
	b.expectField("a flood", err, "variables")
	if sealed > tasksequence.MaxVariables+1 {
		t.Errorf("%d values were sealed", sealed)
	}
	event.Variables = event.Variables[:10]
	event.Variables = append(event.Variables, wire.Variable{Name: "v3", Value: text("y")}, wire.Variable{Name: "V3", Value: text("z")})
	b.report(d.ID, 1, event)
	b.expect("names in another case", len(b.record(d.ID).Variables), 11)
}

// TestSecretsDoNotPileUp: neither those of refused reports nor values that were
// replaced are held without bound. What is in the record stays masked.
func TestSecretsDoNotPileUp(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	secret := func(event wire.Event, value string) wire.Event {
		event.Variables = []wire.Variable{{Name: "P", Value: text(value), Secret: true}}
		return event
	}
	shown := func(n int64, value string) string {
		t.Helper()
		b.log(d.ID, 1, wire.LogLine{Number: n, Text: "it is " + value})
		return b.readLog(d.ID, n, 1)
	}
	long := func(i int) string {
		return fmt.Sprintf("%02d", i) + strings.Repeat("x", tasksequence.MaxVariableValue-100)
	}
	refuse := func(value string) {
		t.Helper()
		_, err := b.events(d.ID, 1, secret(finished(1, "no-such-step", "succeeded"), value))
		b.expectField("a step that is not there", err, "path")
	}
	refuse("hush-hush")
	b.expect("after one", shown(1, "hush-hush"), "1:it is *** of 1")
	for i := range 70 {
		refuse(long(i))
	}
	b.expect("after many", shown(2, "hush-hush"), "2:it is hush-hush of 2")

	kind := wire.Event{Kind: wire.EventVariables}
	for i := range int64(70) {
		kind.Number = i + 1
		b.report(d.ID, 1, secret(kind, long(int(i))))
	}
	kind.Number = 71
	b.report(d.ID, 1, secret(kind, "in-the-record"))
	if held := b.engine.sessions[d.ID].secrets; held > maxSecrets {
		t.Errorf("%d bytes of secrets are held", held)
	}
	b.expect("what is kept", shown(3, "in-the-record"), "3:it is *** of 3")
}
