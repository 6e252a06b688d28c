package engine

import (
	"fmt"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// apply records one event. It runs within a transaction and may be run again. An
// event of a kind that is not known is kept without effect: newer agents may say
// more than this version understands.
func (r *report) apply(tx *state.Tx, d *fleet.Deployment, event wire.Event) error {
	var err error
	switch event.Kind {
	case wire.EventStepStarted:
		err = r.stepStarted(tx, d, event)
	case wire.EventStepFinished:
		err = r.stepFinished(tx, d, event)
	case wire.EventRebooting:
		err = r.rebooting(d, event)
	case wire.EventFinished:
		err = r.finished(tx, d, event)
	}
	if err == nil && len(event.Variables) > 0 {
		d.Variables, err = r.e.merge(d.ID, d.Variables, event.Variables)
	}
	if err != nil {
		return fmt.Errorf("event %d: %w", event.Number, err)
	}
	d.Kept = event.Number
	return nil
}

func (r *report) node(path string) (planEntry, error) {
	n, ok := r.plan[path]
	if !ok {
		return n, &FieldError{Field: "path", Detail: fmt.Sprintf("the deployment has no step %q", clean(path, maxShort))}
	}
	return n, nil
}

func (r *report) stepStarted(tx *state.Tx, d *fleet.Deployment, event wire.Event) error {
	n, err := r.node(event.Path)
	if err != nil {
		return err
	}
	if old, err := tx.Results().Get(state.ResultKey(d.ID, event.Path)); err == nil && old.Status != tasksequence.Running {
		return fmt.Errorf("%w: step %s has ended before", ErrDifferent, event.Path)
	}
	d.CurrentStep, d.CurrentName, d.StepNumber = event.Path, clean(n.name, maxShort), n.number
	d.WaitsFor, d.Staged = "", ""
	return tx.Results().Put(fleet.StepResult{DeploymentID: d.ID, Path: event.Path, Name: d.CurrentName, Number: n.number,
		Status: tasksequence.Running, StartedAt: r.timeOf(event.Time)})
}

func (r *report) stepFinished(tx *state.Tx, d *fleet.Deployment, event wire.Event) error {
	if event.Result == nil {
		return &FieldError{Field: "result", Detail: "a finished step needs a result"}
	}
	path := event.Path
	if path == "" {
		path = event.Result.Path
	}
	n, err := r.node(path)
	if err != nil {
		return err
	}
	if final := (tasksequence.Result{Status: event.Result.Status}); !final.Final() {
		return &FieldError{Field: "result.status", Detail: fmt.Sprintf("%q is not a final status", clean(event.Result.Status, maxShort))}
	}
	result := fleet.StepResult{DeploymentID: d.ID, Path: path, Name: clean(n.name, maxShort), Number: n.number,
		Status: event.Result.Status, ExitCode: event.Result.ExitCode, Message: r.text(event.Result.Message),
		StartedAt: event.Result.Started, EndedAt: r.timeOf(event.Result.Ended)}
	if old, err := tx.Results().Get(state.ResultKey(d.ID, path)); err == nil {
		if old.Status != tasksequence.Running {
			return fmt.Errorf("%w: step %s has ended before", ErrDifferent, path)
		}
		if result.StartedAt.IsZero() {
			result.StartedAt = old.StartedAt
		}
	}
	if result.Status != tasksequence.Skipped {
		d.CurrentStep, d.CurrentName, d.StepNumber = path, result.Name, n.number
	}
	return tx.Results().Put(result)
}

func (r *report) rebooting(d *fleet.Deployment, event wire.Event) error {
	switch target := fleet.BootTarget(event.Target); target {
	case fleet.BootDisk, fleet.BootImageTarget:
		d.WaitsFor, d.Staged = target, ""
		if target == fleet.BootImageTarget {
			d.Staged = clean(event.Staged, maxShort)
		}
		return nil
	}
	return &FieldError{Field: "target", Detail: `a restart leads to "disk" or "image"`}
}

func (r *report) finished(tx *state.Tx, d *fleet.Deployment, event wire.Event) error {
	status := fleet.DeploymentStatus(event.Status)
	if !status.Final() {
		return &FieldError{Field: "status", Detail: "a deployment ends succeeded, failed or cancelled"}
	}
	return finish(tx, d, status, r.text(event.Message), r.e.opts.Now())
}

// finish writes down that a deployment has ended, that its device is free and that
// its tokens are no good any more.
func finish(tx *state.Tx, d *fleet.Deployment, status fleet.DeploymentStatus, message string, now time.Time) error {
	d.Status, d.Message, d.EndedAt, d.UpdatedAt = status, message, now, now
	d.Order, d.WaitsFor, d.Staged = "", "", ""
	if err := endTokens(tx, d.ID, now); err != nil {
		return err
	}
	device, err := tx.Devices().Get(d.DeviceID)
	if err != nil || device.Deployment != d.ID {
		return nil // the device was merged into another one, or removed
	}
	device.Deployment = ""
	return tx.Devices().Put(device)
}

// text masks and cleans a message of the device.
func (r *report) text(message string) string { return clean(r.masker.Mask(message), maxMessage) }

// timeOf takes the device's time, or ours when it has none.
func (r *report) timeOf(t time.Time) time.Time {
	if t.IsZero() {
		return r.e.opts.Now()
	}
	return t
}
