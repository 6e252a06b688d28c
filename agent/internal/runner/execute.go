package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// execute runs one step with its retries and records how it ended.
func (r *Runner) execute(ctx context.Context, e tasksequence.Execute) (Outcome, error) {
	started := r.Now().UTC()
	r.Face.Step(e.Number, e.Of, e.Name)
	r.Face.Progress(-1, "")
	r.log("info", e.Path, fmt.Sprintf("Step %d of %d: %s", e.Number, e.Of, e.Name))
	if !e.Interrupted {
		if err := r.run.Record(tasksequence.Result{Path: e.Path, Status: tasksequence.Running}); err != nil {
			return Outcome{}, err
		}
	}
	r.report.Event(wire.Event{Kind: wire.EventStepStarted, Path: e.Path, Name: e.Name, StepNumber: e.Number})
	if err := r.report.Flush(ctx); err != nil {
		return Outcome{}, err
	}
	done, err := r.attempts(ctx, e)
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	if errors.Is(err, ErrSignedIn) { // no end of the step: it goes on after a new sign-in
		return Outcome{}, err
	}
	if errors.Is(err, errCancelled) {
		return r.cancelStep(ctx, e, started)
	}
	if settled := r.settle(); err == nil {
		err = settled
	}
	if err == nil && done.Restart != nil && done.Restart.Again {
		return r.restartWithin(ctx, *done.Restart)
	}
	result := tasksequence.Result{Path: e.Path, Status: Succeeded, ExitCode: done.ExitCode, Message: done.Message}
	if err != nil {
		result.Status, result.Message = Failed, err.Error()
		r.log("error", e.Path, e.Name+": "+err.Error())
	}
	if err == nil && done.Restart != nil {
		if err := r.record(e.Position, result, started, rebooting(*done.Restart)); err != nil {
			return Outcome{}, err
		}
		return r.restart(ctx, *done.Restart)
	}
	return Outcome{}, r.record(e.Position, result, started)
}

// settle waits until what the step wrote is on the disk: once its end is on record it does
// not run again, also when power fails right after.
func (r *Runner) settle() error {
	if r.Machine.Settle == nil {
		return nil
	}
	return r.Machine.Settle()
}

func (r *Runner) cancelStep(ctx context.Context, e tasksequence.Execute, started time.Time) (Outcome, error) {
	result := tasksequence.Result{Path: e.Path, Status: Failed, Message: "Cancelled from the console."}
	if err := r.record(e.Position, result, started); err != nil {
		return Outcome{}, err
	}
	return r.finish(ctx, Outcome{Status: Cancelled, Step: e.Name, Message: result.Message})
}

// attempts runs the step once and again as often as its retries say.
func (r *Runner) attempts(ctx context.Context, e tasksequence.Execute) (steps.Outcome, error) {
	ctx, release := r.orders.cancellable(ctx)
	defer release()
	defer r.removeContent(e)
	placed := false
	for try := 0; ; try++ {
		var done steps.Outcome
		var err error
		if !placed { // content stays for the next attempt
			err = r.putContent(ctx, e)
			placed = err == nil
		}
		if err == nil {
			done, err = r.attempt(ctx, e)
		}
		if cause := context.Cause(ctx); cause != nil {
			return done, cause
		}
		if client.Status(err) == http.StatusUnauthorized || errors.Is(err, ErrSignedIn) {
			return done, ErrSignedIn
		}
		if err == nil || try >= e.Retries {
			return done, err
		}
		r.log("warn", e.Path, fmt.Sprintf("%s; trying again in %s (%d of %d)", err, e.RetryWait, try+1, e.Retries))
		if waitOut(ctx, e.RetryWait) != nil {
			return done, context.Cause(ctx)
		}
	}
}

// attempt calls the executor under the step's time limit. A panic in an
// executor fails the step, not the agent.
func (r *Runner) attempt(ctx context.Context, e tasksequence.Execute) (done steps.Outcome, err error) {
	executor, ok := r.Executors[e.Definition.Executor]
	if !ok {
		return done, fmt.Errorf("the agent on this device does not know the step %s: it is older than the appliance", e.Definition.Name)
	}
	if e.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.Timeout, fmt.Errorf("the step took longer than %s and was ended", e.Timeout))
		defer cancel()
	}
	scope := r.vars.Scope(e.Private())
	masker := tasksequence.NewMasker(scope.Secrets())
	defer func() {
		if p := recover(); p != nil {
			r.log("error", e.Path, masker.Mask(fmt.Sprintf("%v\n%s", p, debug.Stack())))
			err = fmt.Errorf("the step failed inside the agent: %v", p)
		}
		if err != nil {
			signedOut := client.Status(err) == http.StatusUnauthorized
			if err = errors.New(masker.Mask(err.Error())); signedOut {
				r.log("warn", e.Path, e.Name+": "+err.Error())
				err = ErrSignedIn
			}
		}
		r.masker = tasksequence.NewMasker(r.vars.Secrets())
	}()
	return executor(ctx, &steps.Step{
		Settings: e.Settings, Vars: scope, Machine: r.Machine, Script: e.Definition.Script, Options: optionNames(e.Definition), Key: r.report.deployment + " " + e.Path, Interrupted: e.Interrupted, Succeeded: e.Succeeded,
		Log: func(level, text string) {
			text = masker.Mask(text)
			r.report.Log(level, e.Path, text)
			r.Face.Log(text)
		},
		Progress: func(percent int, text string) { r.progress(e.Path, percent, text) },
	})
}

// restartWithin restarts in the middle of a step. No result is recorded: the step is
// an interrupted one afterwards, and what it noted in variables is there again.
func (r *Runner) restartWithin(ctx context.Context, s steps.Restart) (Outcome, error) {
	if changes := r.changes(); len(changes) > 0 {
		r.report.Event(wire.Event{Kind: wire.EventVariables, Variables: changes})
	}
	r.report.Event(rebooting(s))
	return r.restart(ctx, s)
}

func optionNames(d tasksequence.Definition) []string {
	names := make([]string, len(d.Options))
	for i, o := range d.Options {
		names[i] = o.Name
	}
	return names
}

// rebooting announces a restart.
func rebooting(s steps.Restart) wire.Event {
	return wire.Event{Kind: wire.EventRebooting, Target: s.Target, Staged: s.Staged, Message: s.Message}
}

// restart waits until the appliance knows of the restart that was announced, and where
// the device goes next, and only then lets it go.
func (r *Runner) restart(ctx context.Context, s steps.Restart) (Outcome, error) {
	if err := r.report.Flush(ctx); err != nil {
		return Outcome{}, err
	}
	r.flushLogs(ctx)
	message := s.Message
	if message == "" {
		message = "The computer restarts and goes on afterwards."
	}
	if err := r.Face.Countdown(ctx, message, s.Delay); err != nil {
		return Outcome{}, err
	}
	return Outcome{Status: Rebooting, Target: s.Target, Staged: s.Staged, Message: s.Message}, nil
}
