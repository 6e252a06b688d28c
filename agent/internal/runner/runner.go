package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Face is where the runner shows what it does.
type Face interface {
	Step(number, of int, name string)
	Progress(percent int, text string)
	Log(line string)
	Alert(text string) // empty: nothing is wrong
	// Ask lets a person decide whether an interrupted step runs again.
	Ask(ctx context.Context, question string) (again bool, err error)
	// Countdown shows why the machine restarts and waits.
	Countdown(ctx context.Context, message string, d time.Duration) error
}

// The ways a run ends.
const (
	Succeeded = tasksequence.Succeeded
	Failed    = tasksequence.Failed
	Cancelled = "cancelled"
	Rebooting = "rebooting"
)

// Outcome is how a run ended.
type Outcome struct {
	Status    string
	Step      string // that failed
	Message   string
	Tolerated int    // steps that failed and were passed over
	Target    string // Rebooting: disk or image
	Staged    string // the boot image that starts from the device's own disk; empty: it comes from the network
	Finish    string // the variable FinishAction: reboot, shutdown, reseal, none, or empty
}

// Runner runs one deployment.
type Runner struct {
	API       API
	Face      Face
	Machine   steps.Machine
	Executors map[string]steps.Executor
	Variables map[string]tasksequence.Value // gathered ones; recorded variables win
	Volatile  map[string]tasksequence.Value // as they stand now, whatever was recorded
	Now       func() time.Time

	ContentDir  string           // folder below which steps find their content; a temporary one when empty
	Environment string           // that the agent runs in; tasksequence.LinuxPE when empty
	Journal     Journal          // keeps what is not acknowledged over a restart; nil: nothing is kept
	Unattended  bool             // nobody can be asked: an interrupted step that may do harm twice fails
	Watch       func(wire.Event) // is told every event as it is reported; nil: nobody

	report *Reporter
	doc    *tasksequence.Document
	run    *tasksequence.Run
	vars   *tasksequence.Variables
	masker *tasksequence.Masker
	orders *orders
}

// Run runs the deployment from where its record stands. An error means that the
// deployment goes on later: ErrReload, ErrSignedIn, ErrRefused, or ctx's own.
func (r *Runner) Run(ctx context.Context, d wire.Deployment) (Outcome, error) {
	unreadable := r.prepare(d)
	if unreadable != nil && !errors.As(unreadable, new(unreadableError)) {
		return Outcome{}, unreadable
	}
	ctx, stop := context.WithCancel(ctx)
	r.orders = newOrders(r.Face)
	r.report = NewReporter(r.API, d.ID, d.Epoch, r.Now, r.orders.take, r.orders.lost)
	r.report.watch, r.report.journal, r.report.environment = r.Watch, r.Journal, r.environment()
	var reporting sync.WaitGroup
	reporting.Go(func() { _ = r.report.Run(ctx) }) // its failure comes back by Flush
	defer r.report.keep(true)
	defer reporting.Wait()
	defer stop()
	if unreadable != nil {
		message := "Nothing was done: "
		if len(d.Results) > 0 {
			message = "It cannot go on: "
		}
		return r.finish(ctx, Outcome{Status: Failed, Message: message + unreadable.Error()})
	}
	if pending, ok := r.replay(d); ok {
		return r.restart(ctx, pending)
	}
	r.report.Event(wire.Event{Kind: wire.EventVariables, Variables: r.changes()})
	if len(d.Results) == 0 {
		if outcome, err := r.foresee(ctx); err != nil || outcome.Status != "" {
			return outcome, err
		}
	}
	for {
		outcome, err := r.next(ctx)
		if err != nil || outcome.Status != "" {
			return outcome, err
		}
	}
}

func (r *Runner) environment() string { return cmp.Or(r.Environment, tasksequence.LinuxPE) }

// prepare sets up interpreter and variables from the record.
func (r *Runner) prepare(d wire.Deployment) error {
	r.vars = tasksequence.NewVariables()
	r.masker = tasksequence.NewMasker(nil)
	var err error
	if r.doc, err = tasksequence.ParseDocument(d.Document); err != nil {
		return unreadableError{err}
	}
	set := func(name string, v tasksequence.Value) error {
		if err := r.vars.SetSystem(name, v); err != nil {
			return fmt.Errorf("prepare the variables: %w", err)
		}
		return nil
	}
	for _, group := range []map[string]tasksequence.Value{r.Variables, recorded(d), r.Volatile} {
		for name, v := range group {
			if err := set(name, v); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(set(tasksequence.VariableEnvironment, tasksequence.Value{Text: r.environment()}),
		set(tasksequence.VariableSystem, tasksequence.Value{Text: runtime.GOOS})); err != nil { // linux and windows are called so
		return err
	}
	results := make([]tasksequence.Result, 0, len(d.Results))
	for _, w := range d.Results {
		results = append(results, tasksequence.Result{Path: w.Path, Status: w.Status, ExitCode: w.ExitCode, Message: w.Message})
	}
	if r.run, err = tasksequence.NewRun(r.doc, r.vars, results); err != nil {
		return unreadableError{fmt.Errorf("read the task sequence: %w", err)}
	}
	r.run.ContentFolders(r.contentFolder)
	r.masker = tasksequence.NewMasker(r.vars.Secrets())
	return nil
}

// recorded turns the record's variables into values. One that cannot be read is
// left out: it would have been refused when it was set.
func recorded(d wire.Deployment) map[string]tasksequence.Value {
	vars := map[string]tasksequence.Value{}
	for _, w := range d.Variables {
		var v tasksequence.Value
		if json.Unmarshal(w.Value, &v) == nil {
			v.Secret = w.Secret
			vars[w.Name] = v
		}
	}
	return vars
}

// next carries out one action of the interpreter.
func (r *Runner) next(ctx context.Context) (Outcome, error) {
	if cancelled, err := r.orders.wait(ctx, r.report); err != nil {
		return Outcome{}, err
	} else if cancelled {
		return r.finish(ctx, Outcome{Status: Cancelled, Message: "Cancelled from the console."})
	}
	switch a := r.run.Next().(type) {
	case tasksequence.Execute:
		return r.execute(ctx, a)
	case tasksequence.Skip:
		r.log("info", a.Path, fmt.Sprintf("%s: left out: %s", a.Name, a.Reason))
		return Outcome{}, r.record(a.Position, a.Result(), time.Time{})
	case tasksequence.Fail:
		r.log("error", a.Path, a.Name+": "+a.Message)
		return Outcome{}, r.record(a.Position, a.Result(), time.Time{})
	case tasksequence.Ask:
		return Outcome{}, r.ask(ctx, a)
	case tasksequence.Done:
		return r.finish(ctx, Outcome{Status: a.Status, Step: a.Name, Message: r.masker.Mask(a.Message), Tolerated: a.Tolerated})
	default:
		return Outcome{}, fmt.Errorf("the interpreter wants %T, which this agent does not know", a)
	}
}

func (r *Runner) ask(ctx context.Context, a tasksequence.Ask) error {
	why := "It was interrupted, and nobody is there to say whether it may run again."
	if !r.Unattended {
		again, err := r.Face.Ask(ctx, a.Question)
		if err != nil {
			return err
		}
		if again {
			return r.run.RunAgain(a.Path)
		}
		why = "It was interrupted, and the technician chose not to run it again."
	}
	return r.record(a.Position, tasksequence.Result{Path: a.Path, Status: Failed, Message: why}, time.Time{})
}

// record keeps a final result and reports it with the variables that changed, and with
// what follows from it.
func (r *Runner) record(p tasksequence.Position, result tasksequence.Result, started time.Time, more ...wire.Event) error {
	result.Message = r.masker.Mask(result.Message)
	if err := r.run.Record(result); err != nil {
		return err
	}
	finished := wire.Event{Kind: wire.EventStepFinished, Path: p.Path, Name: p.Name, StepNumber: p.Number,
		Variables: r.changes(), Result: &wire.Result{Path: p.Path, Status: result.Status, ExitCode: result.ExitCode,
			Message: result.Message, Started: started, Ended: r.Now().UTC()}}
	r.report.Event(append([]wire.Event{finished}, more...)...)
	return nil
}

// finish tells how the deployment ended and waits until the appliance has kept it.
func (r *Runner) finish(ctx context.Context, o Outcome) (Outcome, error) {
	r.log("info", "", "deployment "+o.Status)
	r.report.Event(wire.Event{Kind: wire.EventFinished, Status: o.Status, Message: o.Message})
	if err := r.report.Flush(ctx); err != nil {
		return Outcome{}, err
	}
	r.flushLogs(ctx)
	o.Finish = strings.ToLower(r.vars.Text("FinishAction"))
	return o, nil
}

// flushLogs gives the last lines some time; a result must not wait for them.
func (r *Runner) flushLogs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_ = r.report.FlushLogs(ctx)
}

// changes are the variables set since the last call, as the wire has them.
func (r *Runner) changes() []wire.Variable {
	var list []wire.Variable
	for _, name := range r.vars.TakeChanges() {
		v, ok := r.vars.Get(name)
		if !ok || name == tasksequence.VariableEnvironment || name == tasksequence.VariableSystem { // those are this agent's, at every start anew
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			continue // texts and lists of texts always have a JSON form
		}
		list = append(list, wire.Variable{Name: name, Value: text, Secret: v.Secret})
	}
	return list
}

func (r *Runner) progress(path string, percent int, text string) {
	r.Face.Progress(percent, text)
	r.report.Progress(wire.Progress{Path: path, Percent: percent, Text: text})
}

func (r *Runner) log(level, step, text string) {
	text = r.masker.Mask(text)
	r.report.Log(level, step, text)
	r.Face.Log(text)
}

var errCancelled = errors.New("cancelled from the console")

// waitOut waits between retries.
func waitOut(ctx context.Context, d time.Duration) error { return client.Wait(ctx, d) }
