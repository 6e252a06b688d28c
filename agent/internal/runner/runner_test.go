package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/internal/appliancetest"
	"slipway/agent/internal/client"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// screenLog is a Face that remembers.
type screenLog struct {
	mu     sync.Mutex
	lines  []string
	alerts []string
	again  bool
	asked  []string
}

func (f *screenLog) add(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, line)
}
func (f *screenLog) Step(n, of int, name string) {
	f.add(fmt.Sprintf("Step %d of %d: %s", n, of, name))
}
func (f *screenLog) Progress(int, string) {}
func (f *screenLog) Log(line string)      { f.add(line) }
func (f *screenLog) Alert(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alerts = append(f.alerts, text)
}
func (f *screenLog) Ask(_ context.Context, q string) (bool, error) {
	f.asked = append(f.asked, q)
	return f.again, nil
}
func (f *screenLog) Countdown(_ context.Context, message string, _ time.Duration) error {
	f.add("restart: " + message)
	return nil
}
func (f *screenLog) alerted(part string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.alerts, func(a string) bool { return strings.Contains(a, part) })
}

// bench is a stand-in appliance with a signed-in client and a runner.
type bench struct {
	*appliancetest.Appliance
	client *client.Client
	face   *screenLog
	runner *Runner
}

func newBench(t *testing.T, nodes ...tasksequence.Node) *bench {
	t.Helper()
	a, err := appliancetest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	a.Document = tasksequence.Document{Format: tasksequence.Format, Sequence: tasksequence.Sequence{Name: "Test", Steps: nodes}}
	identity, err := client.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Options{Address: a.Address, Installation: appliancetest.Installation, Roots: a.Pool(), Identity: identity})
	t.Cleanup(c.Close)
	if err := c.SignIn(t.Context(), wire.PasscodeSignIn{Passcode: a.Passcode}); err != nil {
		t.Fatal(err)
	}
	face := &screenLog{}
	return &bench{a, c, face, &Runner{API: c, Face: face, Now: time.Now, Executors: steps.Executors(),
		Machine:   steps.Machine{Exec: localExec, Files: steps.LocalFiles{Dir: t.TempDir()}},
		Variables: map[string]tasksequence.Value{"Model": {Text: "9000"}}}}
}

func (b *bench) start(t *testing.T) wire.Deployment {
	t.Helper()
	d, err := b.client.Start(t.Context(), wire.StartDeployment{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (b *bench) run(t *testing.T, d wire.Deployment) (Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	return b.runner.Run(ctx, d)
}

func run(id, command string, more ...func(*tasksequence.Node)) tasksequence.Node {
	text, _ := json.Marshal(command)
	n := tasksequence.Node{ID: id, Name: id, Definition: tasksequence.RunCommandLine, DefinitionVersion: 1,
		Settings: map[string]json.RawMessage{"Command": text}}
	for _, change := range more {
		change(&n)
	}
	return n
}

func set(name, value string, secret bool) tasksequence.Node {
	text, _ := json.Marshal(value)
	return tasksequence.Node{ID: "set-" + name, Name: "Set " + name, Definition: tasksequence.SetVariable, DefinitionVersion: 1,
		Settings: map[string]json.RawMessage{"VariableName": json.RawMessage(`"` + name + `"`), "VariableValue": text,
			"Secret": json.RawMessage(fmt.Sprint(secret))}}
}

func (b *bench) kinds() (kinds []string) {
	b.Do(func() {
		for _, e := range b.Events {
			text := e.Kind
			if e.Result != nil {
				text += " " + e.Result.Status
			}
			kinds = append(kinds, strings.TrimSpace(text+" "+e.Path+e.Status+e.Target))
		}
	})
	return kinds
}

func TestARunFromStartToEnd(t *testing.T) {
	b := newBench(t, set("Secret1", "hunter2", true), run("show", `echo "value %Secret1% on $SLIPWAY_MODEL"`), set("FinishAction", "Shutdown", false))
	out, err := b.run(t, b.start(t))
	if err != nil || out.Status != Succeeded || out.Finish != "shutdown" {
		t.Fatalf("got %+v, %v", out, err)
	}
	want := []string{"variables", "step-started set-Secret1", "step-finished succeeded set-Secret1", "step-started show", "step-finished succeeded show",
		"step-started set-FinishAction", "step-finished succeeded set-FinishAction", "finished succeeded"}
	if got := b.kinds(); !slices.Equal(got, want) {
		t.Errorf("events %q", got)
	}
	if !slices.Contains(b.face.lines, "value *** on 9000") || !slices.Contains(b.face.lines, "Step 2 of 3: show") {
		t.Errorf("screen %q", b.face.lines)
	}
	b.Do(func() {
		text, _ := json.Marshal(b.Logs)
		if strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "value *** on 9000") {
			t.Errorf("log %s", text)
		}
		for _, e := range b.Events {
			for _, v := range e.Variables {
				if v.Name == "Secret1" && !v.Secret {
					t.Error("the secret is reported as an ordinary variable")
				}
			}
		}
	})
}

func TestFailuresTimeoutsAndRetries(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name      string
		node      tasksequence.Node
		status    string
		message   string
		tolerated int
	}{
		{"fails", run("x", "exit 4"), Failed, "exit code 4", 0},
		{"tolerated", run("x", "exit 4", func(n *tasksequence.Node) { n.ContinueOnError = true }), Succeeded, "", 1},
		{"timeout", run("x", "sleep 20", func(n *tasksequence.Node) { n.Timeout = 1 }), Failed, "took longer than 1s", 0},
		{"retried", run("x", "[ -e "+dir+"/again ] || { touch "+dir+"/again; exit 1; }", func(n *tasksequence.Node) { n.Retries = 1 }), Succeeded, "", 0},
		{"cannot be started", set("_ReadOnly", "x", false), Failed, "begins with _", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.node)
			out, err := b.run(t, b.start(t))
			if err != nil || out.Status != tt.status || !strings.Contains(out.Message, tt.message) || out.Tolerated != tt.tolerated {
				t.Errorf("got %+v, %v", out, err)
			}
			b.Do(func() {
				if b.Deployment.Status != tt.status {
					t.Errorf("the record says %q", b.Deployment.Status)
				}
			})
		})
	}
}

func TestAPanickingExecutorFailsItsStep(t *testing.T) {
	b := newBench(t, run("x", "true"))
	b.runner.Executors = map[string]steps.Executor{tasksequence.RunCommandLine: func(context.Context, *steps.Step) (steps.Outcome, error) { panic("boom") }}
	if out, err := b.run(t, b.start(t)); err != nil || out.Status != Failed || !strings.Contains(out.Message, "boom") {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestRebootIsKeptBeforeTheMachineGoes(t *testing.T) {
	reboot := tasksequence.Node{ID: "r", Name: "Restart", Definition: tasksequence.Reboot, DefinitionVersion: 1,
		Settings: map[string]json.RawMessage{"RebootRequested": json.RawMessage(`"disk"`)}}
	b := newBench(t, run("before", "true"), reboot, run("after", "echo here I am"))
	out, err := b.run(t, b.start(t))
	if err != nil || out.Status != Rebooting || out.Target != "disk" {
		t.Fatalf("got %+v, %v", out, err)
	}
	kinds := b.kinds()
	if want := []string{"step-finished succeeded r", "rebooting disk"}; !slices.Equal(kinds[len(kinds)-2:], want) {
		t.Errorf("events %q", kinds)
	}
	d, err := b.client.Resume(t.Context(), "d1", "")
	if err != nil {
		t.Fatal(err)
	}
	b.face.lines = nil
	if out, err := b.run(t, d); err != nil || out.Status != Succeeded {
		t.Fatalf("after the restart: %+v, %v", out, err)
	}
	if slices.ContainsFunc(b.face.lines, func(l string) bool { return strings.Contains(l, "before") }) || !slices.Contains(b.face.lines, "here I am") {
		t.Errorf("after the restart: %q", b.face.lines)
	}
}

func TestInterruptedStepAsks(t *testing.T) {
	for _, again := range []bool{true, false} {
		b := newBench(t, run("x", "echo ran"))
		d := b.start(t)
		d.Results = []wire.Result{{Path: "x", Status: "running"}}
		b.face.again = again
		out, err := b.run(t, d)
		if err != nil || len(b.face.asked) != 1 || (out.Status == Succeeded) != again || slices.Contains(b.face.lines, "ran") != again {
			t.Errorf("again %v: %+v, %v, asked %q, screen %q", again, out, err, b.face.asked, b.face.lines)
		}
	}
}

func TestApplianceLostMidway(t *testing.T) {
	b := newBench(t, run("one", "sleep 0.5"), run("two", "true"))
	d := b.start(t)
	b.Do(func() {
		down := 0
		b.Answer = func(r *http.Request) *wire.Problem {
			// Away for a few calls, as soon as the first step runs.
			if strings.HasSuffix(r.URL.Path, "/events") && b.Deployment.Kept >= 2 && down < 3 {
				down++
				return &wire.Problem{Title: "Service Unavailable", Status: 503}
			}
			return nil
		}
	})
	out, err := b.run(t, d)
	if err != nil || out.Status != Succeeded {
		t.Fatalf("got %+v, %v", out, err)
	}
	if !b.face.alerted("No answer from the appliance since") || b.face.alerts[len(b.face.alerts)-1] != "" {
		t.Errorf("alerts %q", b.face.alerts)
	}
	b.Do(func() {
		for i, e := range b.Events {
			if e.Number != int64(i+1) {
				t.Errorf("event %d has number %d", i, e.Number)
			}
		}
	})
}

func TestAStepBeginsOnlyWhenTheRecordSaysSo(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	b := newBench(t, run("x", "touch "+mark))
	d := b.start(t)
	b.Do(func() {
		b.Answer = func(r *http.Request) *wire.Problem {
			if strings.HasSuffix(r.URL.Path, "/events") {
				return &wire.Problem{Title: "Service Unavailable", Status: 503}
			}
			return nil
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if _, err := b.runner.Run(ctx, d); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the step ran although the appliance had not kept that it begins")
	}
}

func TestSecretsStayOutOfWhatTheRunnerSays(t *testing.T) {
	skipped := run("skipped", "true", func(n *tasksequence.Node) {
		if err := json.Unmarshal([]byte(`{"variable":"Pw","equals":"x"}`), &n.Condition); err != nil {
			t.Fatal(err)
		}
	})
	named := run("named", "exit 1")
	named.Name = "Set hunter2"
	b := newBench(t, set("Pw", "hunter2", true), skipped, named)
	if _, err := b.run(t, b.start(t)); err != nil {
		t.Fatal(err)
	}
	b.Do(func() {
		text, _ := json.Marshal(b.Logs)
		if strings.Contains(string(text)+strings.Join(b.face.lines, "\n"), "hunter2: the command") || strings.Contains(string(text), "hunter2") {
			t.Errorf("log %s", text)
		}
	})
}

func TestOrders(t *testing.T) {
	t.Run("cancel ends the running step", func(t *testing.T) {
		b := newBench(t, run("long", "sleep 100"), run("never", "echo never"))
		d := b.start(t)
		b.Do(func() { b.Orders = []string{wire.OrderCancel} })
		begin := time.Now()
		out, err := b.run(t, d)
		if err != nil || out.Status != Cancelled || time.Since(begin) > time.Minute {
			t.Errorf("got %+v, %v after %v", out, err, time.Since(begin))
		}
		b.Do(func() {
			if b.Deployment.Status != Cancelled {
				t.Errorf("the record says %q", b.Deployment.Status)
			}
		})
	})
	t.Run("pause holds until continue", func(t *testing.T) {
		b := newBench(t, run("one", "true"), run("two", "true"))
		d := b.start(t)
		heartbeats := 0
		b.Do(func() {
			b.Orders = []string{wire.OrderPause}
			b.Answer = func(*http.Request) *wire.Problem {
				if b.face.alerted("Paused") {
					if heartbeats++; heartbeats == 1 {
						b.Orders = []string{wire.OrderContinue}
					}
				}
				return nil
			}
		})
		out, err := b.run(t, d)
		b.Do(func() {
			if err != nil || out.Status != Succeeded || heartbeats == 0 {
				t.Errorf("got %+v, %v, alerts %q", out, err, b.face.alerts)
			}
		})
	})
}

func TestARecordThatMovedOnIsLoadedAgain(t *testing.T) {
	b := newBench(t, run("x", "true"))
	d := b.start(t)
	d.Epoch-- // another start of the agent has taken over
	if _, err := b.run(t, d); !errors.Is(err, ErrReload) {
		t.Errorf("got %v", err)
	}
}

func TestARevokedTokenEndsTheRun(t *testing.T) {
	b := newBench(t, run("x", "true"))
	d := b.start(t)
	b.Revoke()
	if _, err := b.run(t, d); !errors.Is(err, ErrSignedIn) {
		t.Errorf("got %v", err)
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	b := newBench(t, run("x", "sleep 100"))
	d := b.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begin := time.Now()
	if _, err := b.runner.Run(ctx, d); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > time.Minute {
		t.Errorf("got %v after %v", err, time.Since(begin))
	}
}

// A step may need several starts of the machine, as updates do: it has no result
// until it is through, and what it noted in variables is there each time.
func TestAStepThatRestartsTheMachineGoesOnAfterwards(t *testing.T) {
	b := newBench(t, run("x", "true", func(n *tasksequence.Node) {
		n.Settings["AfterInterruption"] = json.RawMessage(`"run-again"`)
	}), run("after", "echo here I am"))
	b.runner.Executors = map[string]steps.Executor{tasksequence.RunCommandLine: func(ctx context.Context, s *steps.Step) (steps.Outcome, error) {
		if s.Settings.Text("Command") != "true" {
			return steps.Executors()[tasksequence.RunCommandLine](ctx, s)
		}
		round := s.Vars.Text("Round") + "I"
		if err := s.Vars.Set("Round", tasksequence.Value{Text: round}); err != nil || round == "III" {
			return steps.Outcome{}, err
		}
		return steps.Outcome{Restart: &steps.Restart{Target: "disk", Again: true}}, nil
	}}
	d := b.start(t)
	for range 2 {
		out, err := b.run(t, d)
		if err != nil || out.Status != Rebooting {
			t.Fatalf("got %+v, %v", out, err)
		}
		for _, kind := range b.kinds() {
			if strings.HasPrefix(kind, "step-finished") {
				t.Fatalf("a result before the step is through: %s", kind)
			}
		}
		if d, err = b.client.Resume(t.Context(), d.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := b.run(t, d); err != nil || out.Status != Succeeded || !slices.Contains(b.face.lines, "here I am") {
		t.Errorf("got %+v, %v, %q", out, err, b.face.lines)
	}
}

// The end of a step is told when what it wrote is on the disk, and not before.
func TestEndIsToldOnceOnTheDisk(t *testing.T) {
	for _, broken := range []bool{false, true} {
		b := newBench(t, run("one", "true"), run("two", "exit 3"))
		ends := func() (n int) {
			b.Do(func() {
				for _, e := range b.Events {
					if e.Kind == wire.EventStepFinished {
						n++
					}
				}
			})
			return n
		}
		var told []int
		b.runner.Machine.Settle = func() error {
			time.Sleep(20 * time.Millisecond)
			told = append(told, ends())
			if broken {
				return errors.New("the disk is broken")
			}
			return nil
		}
		out, err := b.run(t, b.start(t))
		if err != nil || out.Status != Failed {
			t.Fatalf("%+v, %v", out, err)
		}
		want := []int{0, 1}
		if broken {
			want = want[:1] // the first step fails
		}
		if !slices.Equal(told, want) || broken != strings.Contains(out.Message, "the disk is broken") {
			t.Errorf("ends told when the disk was waited for: %v, %+v", told, out)
		}
	}
}

// A step that the appliance no longer knows the sign-in of has not failed: after a new
// sign-in it is gone on with.
func TestStepWhoseSignInEndsIsGoneOnWith(t *testing.T) {
	b := newBench(t, run("x", "true", func(n *tasksequence.Node) { n.Settings["AfterInterruption"] = json.RawMessage(`"run-again"`) }))
	b.runner.Journal = JournalFile{filepath.Join(t.TempDir(), "reports.json")}
	definition, _ := tasksequence.BuiltinCatalogue().Find(tasksequence.RunCommandLine, 0)
	tries := 0
	b.runner.Executors = map[string]steps.Executor{definition.Executor: func(context.Context, *steps.Step) (steps.Outcome, error) {
		if tries++; tries == 1 {
			return steps.Outcome{}, fmt.Errorf("fetch the tool pack: %w", &client.Error{Status: http.StatusUnauthorized})
		}
		return steps.Outcome{}, nil
	}}
	d := b.start(t)
	if _, err := b.run(t, d); !errors.Is(err, ErrSignedIn) {
		t.Fatal(err)
	}
	d, err := b.client.Resume(t.Context(), d.ID, wire.LinuxPE)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := b.run(t, d); err != nil || out.Status != Succeeded || tries != 2 {
		t.Errorf("%+v, %v after %d tries", out, err, tries)
	}
}
