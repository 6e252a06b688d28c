package engine

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/fleet"
	"slipway/tasksequence"
)

func TestADeploymentFromStartToEnd(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.expect("status", d.Status, "running")
	b.expect("epoch", d.Epoch, 1)
	b.expect("steps", d.StepCount, 2)
	b.expect("the device's deployment", b.fleetDevice("device-1").Deployment, d.ID)
	if a, ok := interpret(t, d).Next().(tasksequence.Execute); !ok || a.Path != "a" {
		t.Errorf("the agent would begin with %+v", interpret(t, d).Next())
	}

	b.expect("kept", b.report(d.ID, 1, started(1, "a")).Kept, 1)
	now := b.record(d.ID)
	b.expect("current step", now.CurrentStep+" "+now.CurrentName, "a First")
	b.expect("kept", b.report(d.ID, 1, finished(2, "a", "succeeded"), started(3, "g/b"), finished(4, "g/b", "succeeded"), ended(5, "succeeded")).Kept, 5)
	b.expect("results", b.statuses(d.ID), "1:a=succeeded 2:g/b=succeeded")
	now = b.record(d.ID)
	b.expect("status", now.Status, "succeeded")
	b.expect("step number", now.StepNumber, 2)
	b.expect("the device's deployment", b.fleetDevice("device-1").Deployment, "")
	b.expect("audit", b.audit.actions(), "sequence.imported deployment.started deployment.succeeded")
	history, err := b.engine.History(d.ID, 1, 2)
	b.check(err)
	b.expect("history", words(len(history), history[0].Number, history[0].Kind, history[0].Status), "2 2 step-finished succeeded")
}

func TestRepeatedReportsChangeNothing(t *testing.T) {
	for _, restart := range []string{"no", "orderly", "crash"} {
		t.Run(restart, func(t *testing.T) {
			b := newBench(t)
			d := b.begin()
			batch := []wire.Event{started(1, "a"), finished(2, "a", "succeeded")}
			b.report(d.ID, 1, batch...)
			if restart != "no" {
				b.restart(restart == "crash")
			}
			b.clock.add(time.Second)
			before := b.record(d.ID)
			b.expect("kept", b.report(d.ID, 1, batch...).Kept, 2)
			b.expect("record", b.record(d.ID), before)
			b.expect("kept", b.report(d.ID, 1, batch[1], started(3, "g/b")).Kept, 3)

			different := finished(2, "a", "failed")
			_, err := b.events(d.ID, 1, different)
			b.expectError("another content under a kept number", err, ErrDifferent)
			b.expect("results", b.statuses(d.ID), "1:a=succeeded 2:g/b=running")
		})
	}
}

func TestGapsAreNotTaken(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.expect("kept", b.report(d.ID, 1, started(2, "a")).Kept, 0)
	b.expect("results", b.statuses(d.ID), "")
	_, err := b.events(d.ID, 1, started(1, "a"), finished(3, "a", "succeeded"))
	b.expectField("a gap within a report", err, "events[1].number")
}

func TestOlderEpochsAreStale(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, started(1, "a"))
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("epoch and kept", words(resumed.Epoch, resumed.Kept), "2 0")
	for _, epoch := range []int64{0, 1, 3} {
		_, err := b.events(d.ID, epoch, started(2, "a"))
		b.expectError(fmt.Sprintf("epoch %d", epoch), err, ErrStale)
		_, err = b.events(d.ID, epoch)
		b.expectError(fmt.Sprintf("heartbeat of epoch %d", epoch), err, ErrStale)
		_, err = b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: epoch})
		b.expectError(fmt.Sprintf("log of epoch %d", epoch), err, ErrStale)
	}
	if a, ok := interpret(t, resumed).Next().(tasksequence.Ask); !ok || a.Path != "a" {
		t.Errorf("the agent would go on with %+v", interpret(t, resumed).Next())
	}
	b.report(d.ID, 2, finished(1, "a", "succeeded"))
	b.expect("results", b.statuses(d.ID), "1:a=succeeded")
}

func TestAFinishedStepCannotBeReportedAnew(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, finished(1, "a", "succeeded"))
	_, err := b.events(d.ID, 1, started(2, "a"))
	b.expectError("start of a finished step", err, ErrDifferent)
	_, err = b.events(d.ID, 1, finished(2, "a", "failed"))
	b.expectError("second end of a step", err, ErrDifferent)
	b.expect("kept", b.record(d.ID).Kept, 1)
}

func TestReportsThatMakeNoSense(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	for field, event := range map[string]wire.Event{
		"path":             started(1, "../etc/passwd"),
		"result":           {Number: 1, Kind: wire.EventStepFinished, Path: "a"},
		"result.status":    finished(1, "a", "running"),
		"target":           {Number: 1, Kind: wire.EventRebooting, Target: "moon"},
		"status":           ended(1, "running"),
		"variables":        {Number: 1, Kind: wire.EventVariables, Variables: []wire.Variable{{Name: "a b", Value: text("x")}}},
		"variables.A":      {Number: 1, Kind: wire.EventVariables, Variables: []wire.Variable{{Name: "A", Value: []byte("{}")}}},
		"events[0].number": started(0, "a"),
	} {
		_, err := b.events(d.ID, 1, event)
		b.expectField(field, err, field)
	}
	b.expect("kept", b.record(d.ID).Kept, 0)
	_, err := b.events(d.ID, 1, slices.Repeat([]wire.Event{{}}, maxBatch+1)...)
	b.expectError("a huge report", err, ErrTooLarge)
	b.expect("kept of an unknown kind", b.report(d.ID, 1, wire.Event{Number: 1, Kind: "from-the-future"}).Kept, 1)
}

func TestADeviceReachesItsOwnDeploymentsOnly(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.device("device-2")
	for name, token := range map[string]fleet.Token{
		"another device": deviceToken("device-2"),
		"no device":      {Kind: fleet.TokenDevice},
		"a script":       {Kind: fleet.TokenAPI, Role: fleet.RoleAdministrator, DeviceID: "device-1"},
	} {
		_, err := b.engine.Events(t.Context(), token, d.ID, wire.EventBatch{Epoch: 1})
		b.expectError(name+": events", err, ErrNotFound)
		_, err = b.engine.Resume(t.Context(), token, d.ID, "")
		b.expectError(name+": resume", err, ErrNotFound)
		_, err = b.engine.Logs(t.Context(), token, d.ID, wire.LogBatch{Epoch: 1})
		b.expectError(name+": logs", err, ErrNotFound)
	}
	_, err := b.engine.Get(deviceToken("device-2"), d.ID)
	b.expectError("get by another device", err, ErrNotFound)
	_, err = b.engine.Start(t.Context(), fleet.Token{Kind: fleet.TokenAPI, Role: fleet.RoleAdministrator}, wire.StartDeployment{Sequence: "two"})
	b.expectError("start by a script", err, ErrForbidden)
	b.expect("epoch", b.record(d.ID).Epoch, 1)
}

func TestWaitingForTheDisk(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, finished(1, "a", "succeeded"), wire.Event{Number: 2, Kind: wire.EventRebooting, Target: "disk"})
	b.restart(true)
	b.expect("waits for", b.record(d.ID).WaitsFor, "disk")
	_, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("waits for", b.record(d.ID).WaitsFor, "")
}

// A boot image on the device's own disk is noted as long as it is waited for.
func TestWaitingForABootImageOnTheDisk(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, finished(1, "a", "succeeded"), wire.Event{Number: 2, Kind: wire.EventRebooting, Target: "image", Staged: "fedc"})
	b.restart(true)
	b.expect("waits for", words(b.record(d.ID).WaitsFor, b.record(d.ID).Staged), "image fedc")
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "winpe")
	b.check(err)
	b.expect("after it", b.record(d.ID).Staged, "")
	b.expect("where it is at work", resumed.Environment, "winpe")
	b.report(d.ID, 2, wire.Event{Number: 1, Kind: wire.EventRebooting, Target: "disk", Staged: "fedc"})
	b.expect("of the disk", b.record(d.ID).Staged, "")
	b.report(d.ID, 2, wire.Event{Number: 2, Kind: wire.EventRebooting, Target: "image", Staged: "fedc"}, wire.Event{Number: 3, Kind: wire.EventFinished, Status: "failed"})
	b.expect("at the end", b.record(d.ID).Staged, "")
}

func TestAfterTheEnd(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.report(d.ID, 1, wire.Event{Number: 1, Kind: wire.EventFinished, Status: "failed", Message: "a: exit code 1"})
	b.expect("kept of the repeated end", b.report(d.ID, 1, wire.Event{Number: 1, Kind: wire.EventFinished, Status: "failed", Message: "a: exit code 1"}).Kept, 1)
	_, err := b.events(d.ID, 1, started(2, "g/b"))
	b.expectError("an event after the end", err, ErrEnded)
	again, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("resumed", words(again.Status, again.Epoch, again.Message), "failed 1 a: exit code 1")
	b.expectError("order", b.engine.Order(t.Context(), Actor{}, d.ID, "cancel"), ErrEnded)
	answer, err := b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: 1, Lines: []wire.LogLine{{Number: 1, Text: "the rest"}}})
	b.check(err)
	b.expect("kept of the log", answer.Kept, 1)
}

// TestSimultaneousReports lets many goroutines send the same events, cut in
// different ways: each must be kept once, and nothing else may come of it.
func TestSimultaneousReports(t *testing.T) {
	b := newBench(t)
	var nodes []string
	var events []wire.Event
	for i := range 40 {
		path := fmt.Sprintf("s%d", i)
		nodes = append(nodes, fmt.Sprintf(`{"id":%q,"name":"s","definition":"reboot"}`, path))
		events = append(events, started(int64(2*i+1), path), finished(int64(2*i+2), path, "succeeded"))
	}
	b.load(`{"id":"many","version":1,"name":"Many","steps":[` + strings.Join(nodes, ",") + `]}`)
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "many"})
	b.check(err)
	var workers sync.WaitGroup
	for size := 1; size <= 8; size++ {
		workers.Go(func() {
			for kept := 0; kept < len(events); {
				part := events[kept:min(kept+size, len(events))]
				answer, err := b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: 1, Events: part})
				if err != nil {
					t.Errorf("size %d: %v", size, err)
					return
				}
				kept = int(answer.Kept)
			}
		})
	}
	workers.Wait()
	b.expect("kept", b.record(d.ID).Kept, len(events))
	results, err := b.engine.Results(d.ID)
	b.check(err)
	b.expect("results", len(results), 40)
	history, err := b.engine.History(d.ID, 0, 1000)
	b.check(err)
	b.expect("events in the history", len(history), len(events))
}
