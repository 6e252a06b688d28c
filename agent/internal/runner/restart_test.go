package runner

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// away makes the appliance take no reports once the first step has begun.
func (b *bench) away() {
	b.Do(func() {
		b.Answer = func(r *http.Request) *wire.Problem {
			if (strings.HasSuffix(r.URL.Path, "/events") || strings.HasSuffix(r.URL.Path, "/logs")) && b.Deployment.Kept >= 2 {
				return &wire.Problem{Title: "Service Unavailable", Status: http.StatusServiceUnavailable}
			}
			return nil
		}
	})
}

// lostRestart is a bench whose run ended between a Reboot step and its record.
func lostRestart(t *testing.T) (*bench, wire.Deployment) {
	t.Helper()
	reboot := tasksequence.Node{ID: "reboot", Name: "Reboot", Definition: tasksequence.Reboot, DefinitionVersion: 1,
		Settings: map[string]json.RawMessage{"RebootRequested": json.RawMessage(`"disk"`)}}
	b := newBench(t, reboot, run("installed", "echo in the installed system", func(n *tasksequence.Node) { n.Environments = []string{tasksequence.FullOS} }))
	d := b.start(t)
	b.away()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	b.runner.Journal = &cutter{JournalFile: JournalFile{filepath.Join(t.TempDir(), "reports.json")}, cut: cancel}
	if _, err := b.runner.Run(ctx, d); !errors.Is(err, context.Canceled) {
		t.Fatalf("the first run: %v", err)
	}
	b.runner.Journal.(*cutter).cut = nil
	b.Do(func() { b.Answer = nil })
	return b, d
}

// resume starts the agent again in an environment.
func (b *bench) resume(t *testing.T, id, environment string) (Outcome, error) {
	t.Helper()
	d, err := b.client.Resume(t.Context(), id, environment)
	if err != nil {
		t.Fatal(err)
	}
	b.runner.Environment = environment
	return b.run(t, d)
}

// The power is lost after a Reboot step, before the appliance has recorded it: the next
// start restarts the device, and the steps after it run where they belong.
func TestARestartThatWasNotRecordedIsStillToBeDone(t *testing.T) {
	b, d := lostRestart(t)
	out, err := b.resume(t, d.ID, wire.LinuxPE)
	if err != nil || out.Status != Rebooting || out.Target != tasksequence.RebootDisk {
		t.Fatalf("got %+v, %v; %v", out, err, b.kinds())
	}
	if kinds := b.kinds(); !slices.Equal(kinds[len(kinds)-2:], []string{"step-finished succeeded reboot", "rebooting disk"}) {
		t.Errorf("reported: %q", kinds)
	}
	if kept, err := b.runner.Journal.Kept(); err != nil || len(kept.Events) > 0 {
		t.Errorf("left in the journal: %+v, %v", kept, err)
	}
	if out, err = b.resume(t, d.ID, wire.FullOS); err != nil || out.Status != Succeeded || !slices.Contains(b.face.lines, "in the installed system") {
		t.Errorf("got %+v, %v; %q", out, err, b.face.lines)
	}
}

// The device came to its disk by itself: it does not restart once more.
func TestARestartThatHappenedAnywayIsDone(t *testing.T) {
	b, d := lostRestart(t)
	out, err := b.resume(t, d.ID, wire.FullOS)
	if err != nil || out.Status != Succeeded || !slices.Contains(b.face.lines, "in the installed system") {
		t.Errorf("got %+v, %v; %q", out, err, b.face.lines)
	}
}

func TestWhichRestartIsStillToBeDone(t *testing.T) {
	for name, c := range map[string]struct {
		from, here, target, staged string
		later                      int64 // starts since
		pending                    bool
		events                     int
	}{
		"the same boot image":            {wire.LinuxPE, wire.LinuxPE, "disk", "", 1, true, 2},
		"the installed system":           {wire.LinuxPE, wire.FullOS, "disk", "", 1, false, 2},
		"the installed system again":     {wire.FullOS, wire.FullOS, "disk", "", 1, true, 2},
		"the boot image":                 {wire.FullOS, wire.WinPE, "image", "", 1, false, 2},
		"the boot image again":           {wire.LinuxPE, wire.LinuxPE, "image", "", 1, true, 2},
		"the disk in place of the image": {wire.FullOS, wire.FullOS, "image", "", 1, true, 2},
		"Windows PE of the disk":         {wire.FullOS, wire.WinPE, "image", "fedc", 1, false, 2},
		"that Windows PE did not start":  {wire.FullOS, wire.FullOS, "image", "fedc", 1, false, 0},
		"a journal of long ago":          {wire.LinuxPE, wire.LinuxPE, "image", "", pendingEpochs + 1, false, 2},
	} {
		r := &Runner{Environment: c.here}
		kept := Entries{Epoch: 5, Environment: c.from, Events: []wire.Event{{Kind: wire.EventStepFinished, Path: "reboot"},
			{Kind: wire.EventRebooting, Target: c.target, Staged: c.staged}}}
		events, restart := r.unfinishedRestart(kept, kept.Epoch+c.later)
		if (restart != nil) != c.pending || len(events) != c.events {
			t.Errorf("%s: %d events, restart %+v", name, len(events), restart)
		}
	}
}

// A batch that is full does not part a restart from its step.
func TestARestartTravelsWithItsStep(t *testing.T) {
	r := NewReporter(nil, "d1", 1, time.Now, nil, nil)
	for range maxBatch - 1 {
		r.Event(wire.Event{Kind: wire.EventVariables})
	}
	r.Event(wire.Event{Kind: wire.EventStepFinished}, wire.Event{Kind: wire.EventRebooting})
	if b := r.eventBatch(); len(b.Events) != maxBatch+1 {
		t.Errorf("%d events travel together", len(b.Events))
	}
}
