package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

var update = flag.Bool("update", false, "write the golden files anew; only for a form that was never released")

// cutter is a journal in a file; the agent is ended, as by a power loss, as soon as
// the result of a step stands in it.
type cutter struct {
	JournalFile
	cut context.CancelFunc
}

func (c *cutter) Keep(e Entries) error {
	err := c.JournalFile.Keep(e)
	if len(e.Events) > 0 && c.cut != nil {
		c.cut()
	}
	return err
}

// TestAStepThatEndedDoesNotRunAgain cuts between the effect of a step and its record:
// the appliance is away, the agent is ended, and the device comes back.
func TestAStepThatEndedDoesNotRunAgain(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	b := newBench(t, run("effect", `echo once >> `+mark+`; echo "Made=hunter2" >> "$SLIPWAY_VARIABLES"; echo working`), run("after", "echo got %Made%"))
	d := b.start(t)
	b.away() // until the device is back
	journal := &cutter{JournalFile: JournalFile{filepath.Join(t.TempDir(), "state", "reports.json")}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	journal.cut = cancel
	b.runner.Journal = journal
	if _, err := b.runner.Run(ctx, d); !errors.Is(err, context.Canceled) {
		t.Fatalf("the first run: %v", err)
	}
	b.Do(func() { b.Answer = nil })
	journal.cut = nil
	d, err := b.client.Resume(t.Context(), d.ID, wire.LinuxPE)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(d.Results, func(r wire.Result) bool { return r.Path == "effect" }); i < 0 || d.Results[i].Status != tasksequence.Running {
		t.Fatalf("the record knows of the end: %+v", d.Results)
	}
	out, err := b.run(t, d)
	if err != nil || out.Status != Succeeded || len(b.face.asked) > 0 {
		t.Fatalf("got %+v, %v; asked %q", out, err, b.face.asked)
	}
	if text, _ := os.ReadFile(mark); string(text) != "once\n" {
		t.Errorf("the effect is %q", text)
	}
	if !slices.Contains(b.face.lines, "got hunter2") {
		t.Errorf("the variable that the step had set is gone: %q", b.face.lines)
	}
	b.Do(func() {
		text, _ := json.Marshal(b.Logs)
		if !strings.Contains(string(text), "working") {
			t.Errorf("the step's output did not reach the log: %s", text)
		}
	})
	if kept, err := journal.Kept(); err != nil || len(kept.Events)+len(kept.Lines) > 0 {
		t.Errorf("left in the journal: %+v, %v", kept, err)
	}
}

// The answer to the call that goes on with the deployment is lost, and the call repeated:
// the record is two epochs ahead of the journal.
func TestAStepThatEndedIsKnownAfterALostAnswer(t *testing.T) {
	b := newBench(t, run("effect", "echo effect"))
	d := b.start(t)
	b.away()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	journal := &cutter{JournalFile: JournalFile{filepath.Join(t.TempDir(), "reports.json")}, cut: cancel}
	b.runner.Journal = journal
	if _, err := b.runner.Run(ctx, d); !errors.Is(err, context.Canceled) {
		t.Fatalf("the first run: %v", err)
	}
	b.Do(func() { b.Answer = nil })
	journal.cut = nil
	if _, err := b.client.Resume(t.Context(), d.ID, wire.LinuxPE); err != nil {
		t.Fatal(err)
	}
	out, err := b.resume(t, d.ID, wire.LinuxPE)
	if err != nil || out.Status != Succeeded || len(b.face.asked) > 0 {
		t.Errorf("got %+v, %v; asked %q", out, err, b.face.asked)
	}
}

// A step that a later run began, without this journal, did not end.
func TestAJournalOfBeforeTheStepBeganAnewIsLeftAlone(t *testing.T) {
	b := newBench(t, run("x", "echo ran", func(n *tasksequence.Node) { n.Settings["AfterInterruption"] = json.RawMessage(`"run-again"`) }))
	d := b.start(t)
	d.Epoch = 4
	b.Do(func() { b.Deployment.Epoch = 4 })
	d.Results = []wire.Result{{Path: "x", Status: tasksequence.Running, Started: time.Now()}}
	journal := JournalFile{filepath.Join(t.TempDir(), "reports.json")}
	if err := journal.Keep(Entries{Deployment: d.ID, Epoch: 1, Events: []wire.Event{{Kind: wire.EventStepFinished, Path: "x",
		Result: &wire.Result{Path: "x", Status: Succeeded, Ended: time.Now().Add(-time.Hour)}}}}); err != nil {
		t.Fatal(err)
	}
	b.runner.Journal = journal
	if out, err := b.run(t, d); err != nil || out.Status != Succeeded || !slices.Contains(b.face.lines, "ran") {
		t.Errorf("got %+v, %v, %q", out, err, b.face.lines)
	}
}

func TestAJournalOfAnotherRunIsLeftAlone(t *testing.T) {
	event := wire.Event{Kind: wire.EventStepFinished, Path: "x", Name: "x", Result: &wire.Result{Path: "x", Status: Succeeded}}
	for name, e := range map[string]Entries{
		"another deployment": {Deployment: "other", Epoch: 0, Events: []wire.Event{event}},
		"another epoch":      {Deployment: "d1", Epoch: 7, Events: []wire.Event{event}},
		"a step that is not there": {Deployment: "d1", Epoch: 0, Events: []wire.Event{
			{Kind: wire.EventStepFinished, Path: "gone", Result: &wire.Result{Path: "gone", Status: Succeeded}}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, run("x", "echo ran"))
			journal := JournalFile{filepath.Join(t.TempDir(), "reports.json")}
			if err := journal.Keep(e); err != nil {
				t.Fatal(err)
			}
			b.runner.Journal = journal
			out, err := b.run(t, b.start(t))
			if err != nil || out.Status != Succeeded || !slices.Contains(b.face.lines, "ran") {
				t.Errorf("got %+v, %v, %q", out, err, b.face.lines)
			}
			if kept, err := journal.Kept(); err != nil || len(kept.Events) > 0 {
				t.Errorf("left in the journal: %+v, %v", kept, err)
			}
		})
	}
}

func TestReleasedJournalForm(t *testing.T) {
	at := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	e := Entries{Format: journalFormat, Deployment: "d1", Epoch: 3,
		Events: []wire.Event{{Number: 4, Time: at, Kind: wire.EventStepFinished, Path: "a", Name: "A", StepNumber: 1,
			Variables: []wire.Variable{{Name: "X", Value: json.RawMessage(`"1"`), Secret: true}}, Result: &wire.Result{Path: "a", Status: Failed, ExitCode: 2, Message: "m", Started: at, Ended: at}}},
		Lines: []wire.LogLine{{Number: 9, Time: at, Level: "warn", Step: "a", Text: "t"}}}
	golden := filepath.Join("testdata", "journal-format-1.json")
	file := JournalFile{filepath.Join(t.TempDir(), "reports.json")}
	if err := file.Keep(e); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	released, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(now, released) {
		t.Errorf("the form is not the released one any more:\n%s", now)
	}
	if back, err := (JournalFile{golden}).Kept(); err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("got %+v, %v", back, err)
	}
	restart := Entries{Format: journalFormat, Deployment: "d1", Epoch: 4, Environment: wire.LinuxPE, Events: []wire.Event{e.Events[0],
		{Number: 5, Time: at, Kind: wire.EventRebooting, Target: "image", Staged: "fedc", Message: "m"}}}
	golden = filepath.Join("testdata", "journal-format-1-restart.json")
	if *update {
		if err := (JournalFile{golden}).Keep(restart); err != nil {
			t.Fatal(err)
		}
	}
	if back, err := (JournalFile{golden}).Kept(); err != nil || !reflect.DeepEqual(back, restart) {
		t.Errorf("with a restart: %+v, %v", back, err)
	}
	for _, text := range []string{"{", `{"format":2}`} {
		if err := os.WriteFile(file.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Kept(); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	if info, err := os.Stat(file.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
