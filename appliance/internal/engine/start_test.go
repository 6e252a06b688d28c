package engine

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/fleet"
	"slipway/tasksequence"
)

func TestOneDeploymentAtATime(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	_, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "two"})
	b.expectError("a second start", err, ErrUnfinished)
	var unfinished *UnfinishedError
	if !errors.As(err, &unfinished) || unfinished.Deployment != d.ID {
		t.Errorf("the error does not name the deployment: %v", err)
	}
	current, ok, err := b.engine.Current(b.token)
	b.check(err)
	b.expect("current", words(ok, current.ID), words(true, d.ID))
	b.report(d.ID, 1, ended(1, "succeeded"))
	_, ok, err = b.engine.Current(b.token)
	b.check(err)
	b.expect("current after the end", ok, false)
	b.token = b.signIn("device-1")
	_, err = b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "two"})
	b.check(err)
}

func TestTheSameKeyAnswersTheSameDeployment(t *testing.T) {
	b := newBench(t)
	b.load(twoSteps)
	b.load(strings.ReplaceAll(twoSteps, `"two"`, `"other"`))
	start := func(sequence, key string) (wire.Deployment, error) {
		return b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: sequence, Key: key})
	}
	first, err := start("two", "k1")
	b.check(err)
	b.restart(true)
	again, err := start("two", "k1")
	b.check(err)
	b.expect("id", again.ID, first.ID)
	_, err = start("other", "k1")
	b.expectError("the key for another sequence", err, ErrDifferent)
	_, err = start("two", "k2")
	b.expectError("another key", err, ErrUnfinished)
	b.expect("audit", b.audit.actions(), "sequence.imported sequence.imported deployment.started")

	b.device("device-2")
	other, err := b.engine.Start(t.Context(), b.signIn("device-2"), wire.StartDeployment{Sequence: "two", Key: "k1"})
	b.check(err)
	if other.ID == first.ID {
		t.Error("two devices share a deployment by their keys")
	}
}

func TestSimultaneousStarts(t *testing.T) {
	b := newBench(t)
	b.load(twoSteps)
	var mu sync.Mutex
	ids := map[string]int{}
	var refused int
	var workers sync.WaitGroup
	for i := range 12 {
		workers.Go(func() {
			d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "two", Key: fmt.Sprintf("key-%d", i%3)})
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, ErrUnfinished) {
				refused++
			} else if err != nil {
				t.Errorf("start: %v", err)
			} else {
				ids[d.ID]++
			}
		})
	}
	workers.Wait()
	b.expect("deployments and refusals", words(len(ids), refused), "1 8")
}

func TestADeploymentIsPinned(t *testing.T) {
	b := newBench(t)
	child := `{"id":"child","version":%d,"name":"Child","steps":[{"id":"v%d","name":"x","definition":"reboot"}]}`
	b.load(fmt.Sprintf(child, 1, 1))
	b.load(`{"id":"main","version":1,"name":"Main","steps":[{"id":"call","name":"call","definition":"run-task-sequence","settings":{"Sequence":"child"}}]}`)
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "main"})
	b.check(err)
	b.load(fmt.Sprintf(child, 2, 2))
	b.load(`{"id":"main","version":2,"name":"Main","steps":[{"id":"other","name":"x","definition":"reboot"}]}`)
	b.restart(false)
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	if a, ok := interpret(t, resumed).Next().(tasksequence.Execute); !ok || a.Path != "call>v1" {
		t.Errorf("the agent would begin with %+v", interpret(t, resumed).Next())
	}
	b.expect("document", string(resumed.Document), string(d.Document))
}

func TestWhatADeviceMayRun(t *testing.T) {
	b := newBench(t)
	sequence := func(id, more string) {
		b.load(fmt.Sprintf(`{"id":%q,"version":1,"name":%q,%s"steps":[{"id":"a","name":"a","definition":"reboot"}]}`, id, strings.ToUpper(id), more))
	}
	sequence("active", "")
	sequence("draft", `"status":"development",`)
	sequence("old", `"status":"deprecated",`)
	sequence("arm", `"architecture":"arm64",`)
	sequence("intel", `"architecture":"x64",`)
	choices := func() string {
		t.Helper()
		c, err := b.library.Choices(b.token)
		b.check(err)
		var ids []string
		for _, s := range c.TaskSequences {
			ids = append(ids, fmt.Sprintf("%s:%d", s.ID, s.Version))
		}
		return strings.Join(ids, " ") + " assigned=" + c.Assigned
	}
	b.expect("choices", choices(), "active:1 intel:1 assigned=")
	for ref, want := range map[string]error{"draft": ErrNotActive, "draft:1": ErrNotActive, "old:1": ErrNotActive, "arm": ErrNotActive,
		"none": ErrNotFound, "active:2": ErrNotFound} {
		_, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: ref})
		b.expectError("start of "+ref, err, want)
	}
	_, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "a b"})
	b.expectField("start of nonsense", err, "sequence")

	b.assign("draft:1") // for trying it out
	b.expect("choices", choices(), "active:1 intel:1 assigned=draft:1")
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "draft:1"})
	b.check(err)
	c, err := b.library.Choices(b.token)
	b.check(err)
	b.expect("unfinished", words(c.Unfinished, c.UnfinishedName), words(d.ID, "DRAFT"))
	b.assign("gone")
	b.expect("choices", choices(), "active:1 intel:1 assigned=")
}

func TestOldDeploymentsAreForgotten(t *testing.T) {
	b := newBench(t, func(o *Options) { o.KeepPerDevice = 3 })
	var ids []string
	for range 6 {
		d := b.begin()
		ids = append(ids, d.ID)
		b.report(d.ID, 1, finished(1, "a", "succeeded"), ended(2, "succeeded"))
		_, err := b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: 1, Lines: []wire.LogLine{{Number: 1, Text: "x"}}})
		b.check(err)
		b.clock.add(time.Minute)
	}
	all, err := b.engine.List()
	b.check(err)
	b.expect("deployments", len(all), 3)
	b.expect("newest", all[0].ID, ids[5])
	_, err = b.engine.Deployment(ids[0])
	b.expectError("the oldest", err, ErrNotFound)
	if _, err := os.Stat(b.engine.logPath(ids[0])); !os.IsNotExist(err) {
		t.Errorf("its log is still there: %v", err)
	}
	b.expect("results of the oldest", b.statuses(ids[0]), "")
}

func (b *bench) assign(sequence string) {
	b.t.Helper()
	b.change("device-1", func(d *fleet.Device) { d.Sequence = sequence })
}

// TestTenThousandSteps runs a sequence as long as one may be, in batches, over a
// restart in its middle.
func TestTenThousandSteps(t *testing.T) {
	b := newBench(t)
	nodes := make([]string, tasksequence.MaxNodes)
	for i := range nodes {
		nodes[i] = fmt.Sprintf(`{"id":"%d","name":"n","definition":"reboot"}`, i)
	}
	b.load(`{"id":"long","version":1,"name":"Long","steps":[` + strings.Join(nodes, ",") + `]}`)
	d, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "long"})
	b.check(err)
	b.expect("steps", d.StepCount, tasksequence.MaxNodes)
	send := func(epoch int64, from, to int) {
		number := int64(0)
		for from < to {
			var events []wire.Event
			for ; from < to && len(events) < maxBatch; from++ {
				number++
				events = append(events, finished(number, fmt.Sprint(from), "succeeded"))
			}
			b.expect("kept", b.report(d.ID, epoch, events...).Kept, number)
		}
	}
	send(1, 0, 4321)
	b.restart(true)
	resumed, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
	b.check(err)
	b.expect("results", len(resumed.Results), 4321)
	if a, ok := interpret(t, resumed).Next().(tasksequence.Execute); !ok || a.Path != "4321" || a.Number != 4322 {
		t.Errorf("the agent would go on with %+v", a.Position)
	}
	send(2, 4321, tasksequence.MaxNodes)
	results, err := b.engine.Results(d.ID)
	b.check(err)
	b.expect("results", len(results), tasksequence.MaxNodes)
}

func TestASequenceThatCannotRunWhereItBeginsIsNotStarted(t *testing.T) {
	b := newBench(t)
	b.load(`{"id":"wipe","version":1,"name":"Wipe","steps":[{"id":"a","name":"First","definition":"wipe-disk"}]}`)
	_, err := b.engine.Start(t.Context(), b.token, wire.StartDeployment{Sequence: "wipe", Environment: "winpe"})
	var problems tasksequence.Problems
	if !errors.As(err, &problems) || !strings.Contains(problems[0].Detail, "only run in linuxpe") {
		t.Errorf("got %v", err)
	}
	if _, ok, err := b.engine.Current(b.token); ok || err != nil {
		t.Errorf("a deployment was left behind: %v, %v", ok, err)
	}
}

// The environment follows the agent: it decides what the device boots after a power loss.
func TestResumeTellsWhereTheAgentRuns(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	for _, tt := range []struct{ says, want string }{{"fullos", "fullos"}, {"", "fullos"}, {"linuxpe", "linuxpe"}} {
		if _, err := b.engine.Resume(t.Context(), b.token, d.ID, tt.says); err != nil {
			t.Fatal(err)
		}
		kept, err := b.engine.deployment(d.ID)
		b.check(err)
		b.expect("environment after "+tt.says, kept.Environment, tt.want)
	}
}
