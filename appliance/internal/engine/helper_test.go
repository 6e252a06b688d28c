package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// bench is an engine over a real state in a temporary folder, which can be
// restarted, and a device that has signed in.
type bench struct {
	t       *testing.T
	dir     string
	store   *state.Store
	engine  *Engine
	library *Library
	audit   *auditSpy
	clock   *clock
	options func(*Options)
	token   fleet.Token
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type auditSpy struct {
	mu      sync.Mutex
	entries []fleet.AuditEntry
}

func (a *auditSpy) Write(_ context.Context, e fleet.AuditEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
	return nil
}

func (a *auditSpy) actions() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, e := range a.entries {
		all = append(all, e.Action)
	}
	return strings.Join(all, " ")
}

// boxSealer stands for the keyring: what it seals cannot be found by its plain
// text, and opens only for its purpose.
type boxSealer struct{}

func (boxSealer) Seal(plain []byte, purpose string) ([]byte, error) {
	return append([]byte(purpose+"|"), flip(plain)...), nil
}

func (boxSealer) Open(sealed []byte, purpose string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(purpose+"|"))
	if !ok {
		return nil, errors.New("sealed for another purpose")
	}
	return flip(rest), nil
}

func flip(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ 0x5a
	}
	return out
}

func newBench(t *testing.T, options ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), audit: &auditSpy{}, clock: &clock{now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}}
	b.options = func(o *Options) {
		for _, set := range options {
			set(o)
		}
	}
	b.open()
	t.Cleanup(b.close)
	b.device("device-1")
	b.token = b.signIn("device-1")
	return b
}

// signIn makes a token for a device, as sign-in does.
func (b *bench) signIn(device string) fleet.Token {
	b.t.Helper()
	t := deviceToken(device)
	t.Hash, t.ID = "hash-"+rand.Text(), rand.Text()
	t.ExpiresAt = b.clock.Now().Add(4 * time.Hour)
	b.keepToken(t)
	return t
}

func (b *bench) keepToken(t fleet.Token) {
	b.t.Helper()
	b.check(b.store.Update(b.t.Context(), func(tx *state.Tx) error { return tx.Tokens().Put(t) }))
}

// kept is a token as the next call of its device would show it.
func (b *bench) kept(t fleet.Token) (out fleet.Token) {
	b.t.Helper()
	b.check(b.store.View(func(tx *state.Tx) (err error) {
		out, err = tx.Tokens().Get(t.Hash)
		return err
	}))
	return out
}

func deviceToken(device string) fleet.Token {
	return fleet.Token{Kind: fleet.TokenDevice, DeviceID: device, Actor: "passcode", Address: "192.0.2.7", Environment: "linuxpe"}
}

func (b *bench) open() {
	b.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	var err error
	b.store, err = state.Open(b.t.Context(), state.Options{Dir: b.dir + "/state", Logger: quiet, SegmentSize: 1 << 20})
	b.check(err)
	o := Options{Store: b.store, DataDir: b.dir, Sealer: boxSealer{}, Auditor: b.audit, Logger: quiet, Now: b.clock.Now}
	b.options(&o)
	b.engine, err = New(o)
	b.check(err)
	b.library, err = NewLibrary(LibraryOptions{Store: b.store, Auditor: b.audit, Sealer: o.Sealer, Now: b.clock.Now})
	b.check(err)
}

func (b *bench) close() {
	b.t.Helper()
	if b.engine != nil {
		b.check(b.engine.Close())
	}
	b.check(b.store.Close())
}

// restart closes everything and opens it again. With a crash the engine does not
// get to close its files, as after SIGKILL.
func (b *bench) restart(crash bool) {
	b.t.Helper()
	if crash {
		b.engine = nil
	}
	b.close()
	b.open()
}

func (b *bench) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) device(id string) {
	b.t.Helper()
	b.check(b.store.Update(b.t.Context(), func(tx *state.Tx) error {
		return tx.Devices().Put(fleet.Device{ID: id, Name: "PC-" + id, Architecture: "x64", ImageID: "image-1"})
	}))
}

// load imports a document.
func (b *bench) load(text string) fleet.Sequence {
	b.t.Helper()
	s, err := b.library.Import(b.t.Context(), Actor{Name: "local"}, []byte(text))
	b.check(err)
	return s
}

const twoSteps = `{"id":"two","version":1,"name":"Two steps","variables":{"Colour":"blue"},"steps":[
 {"id":"a","name":"First","definition":"run-command-line","settings":{"Command":"true"}},
 {"id":"g","name":"Group","steps":[{"id":"b","name":"Second","definition":"reboot"}]}]}`

// begin signs in anew and starts the two-step sequence.
func (b *bench) begin(variables ...wire.Variable) wire.Deployment {
	b.t.Helper()
	b.token = b.signIn("device-1")
	b.load(twoSteps)
	d, err := b.engine.Start(b.t.Context(), b.token, wire.StartDeployment{Sequence: "two", Variables: variables})
	b.check(err)
	return d
}

func (b *bench) events(id string, epoch int64, events ...wire.Event) (wire.EventAnswer, error) {
	return b.engine.Events(b.t.Context(), b.token, id, wire.EventBatch{Epoch: epoch, Events: events})
}

// report expects the events to be kept.
func (b *bench) report(id string, epoch int64, events ...wire.Event) wire.EventAnswer {
	b.t.Helper()
	answer, err := b.events(id, epoch, events...)
	b.check(err)
	return answer
}

func (b *bench) record(id string) fleet.Deployment {
	b.t.Helper()
	d, err := b.engine.deployment(id)
	b.check(err)
	return d
}

func (b *bench) fleetDevice(id string) (d fleet.Device) {
	b.t.Helper()
	b.check(b.store.View(func(tx *state.Tx) (err error) {
		d, err = tx.Devices().Get(id)
		return err
	}))
	return d
}

func text(s string) json.RawMessage {
	b, _ := json.Marshal(s)
	return b
}

func started(n int64, path string) wire.Event {
	return wire.Event{Number: n, Kind: wire.EventStepStarted, Path: path}
}

func finished(n int64, path, status string) wire.Event {
	return wire.Event{Number: n, Kind: wire.EventStepFinished, Path: path, Result: &wire.Result{Path: path, Status: status}}
}

func ended(n int64, status string) wire.Event {
	return wire.Event{Number: n, Kind: wire.EventFinished, Status: status}
}

func (b *bench) statuses(id string) string {
	b.t.Helper()
	results, err := b.engine.Results(id)
	b.check(err)
	var all []string
	for _, r := range results {
		all = append(all, fmt.Sprintf("%d:%s=%s", r.Number, r.Path, r.Status))
	}
	return strings.Join(all, " ")
}

func (b *bench) expect(what string, got, want any) {
	b.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func (b *bench) expectError(what string, err, want error) {
	b.t.Helper()
	if !errors.Is(err, want) {
		b.t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (b *bench) expectField(what string, err error, field string) {
	b.t.Helper()
	var wrong *FieldError
	if !errors.As(err, &wrong) || wrong.Field != field {
		b.t.Errorf("%s: got %v, want a problem with %s", what, err, field)
	}
}

// interpret makes the run that an agent would make of an answer.
func interpret(t *testing.T, d wire.Deployment) *tasksequence.Run {
	t.Helper()
	doc, err := tasksequence.ParseDocument(d.Document)
	if err != nil {
		t.Fatal(err)
	}
	vars := tasksequence.NewVariables()
	for _, v := range d.Variables {
		var value tasksequence.Value
		if err := json.Unmarshal(v.Value, &value); err != nil {
			t.Fatal(err)
		}
		value.Secret = v.Secret
		if err := vars.SetSystem(v.Name, value); err != nil {
			t.Fatal(err)
		}
	}
	var results []tasksequence.Result
	for _, r := range d.Results {
		results = append(results, tasksequence.Result{Path: r.Path, Status: r.Status, ExitCode: r.ExitCode, Message: r.Message})
	}
	run, err := tasksequence.NewRun(doc, vars, results)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// words joins values by spaces.
func words(values ...any) string { return strings.TrimSpace(fmt.Sprintln(values...)) }

// change alters a device's record.
func (b *bench) change(id string, alter func(*fleet.Device)) {
	b.t.Helper()
	b.check(b.store.Update(b.t.Context(), func(tx *state.Tx) error {
		d, err := tx.Devices().Get(id)
		if err != nil {
			return err
		}
		alter(&d)
		return tx.Devices().Put(d)
	}))
}
