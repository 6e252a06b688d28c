package runner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"slipway/tasksequence"
)

// unreadableError is about a document that this agent cannot carry out whatever comes:
// the deployment ends instead of being tried again for ever.
type unreadableError struct{ cause error }

func (e unreadableError) Error() string {
	return fmt.Sprintf("the agent on this device cannot read the task sequence (%v). The agent is older than the appliance: "+
		"build the boot image again, make media again, and start the device from it.", e.cause)
}

func (e unreadableError) Unwrap() error { return e.cause }

// foresee looks before the first step whether every step can run where it will run:
// a disk is not erased by a sequence that cannot end. What may or may not come to
// pass is told in the log.
func (r *Runner) foresee(ctx context.Context) (Outcome, error) {
	problems := r.run.Plan().ForeseeOn(cmp.Or(r.Environment, tasksequence.LinuxPE), runtime.GOOS, r.lacks)
	staging, err := r.foreseeStaging(ctx)
	if err != nil {
		return Outcome{}, err
	}
	problems = append(problems, staging...)
	for _, p := range problems {
		level := "error"
		if p.Warning {
			level = "warn"
		}
		r.log(level, p.Step, p.String())
	}
	if sure := problems.Sure(); len(sure) > 0 {
		return r.finish(ctx, Outcome{Status: Failed, Step: r.masker.Mask(sure[0].Name),
			Message: r.masker.Mask("Nothing was done, because the task sequence cannot be carried out here. " + sure[0].String())})
	}
	return Outcome{}, nil
}

// foreseeStaging asks the appliance for the Windows PE that an installed Windows restarts
// into later on, before anything is done.
func (r *Runner) foreseeStaging(ctx context.Context) (tasksequence.Problems, error) {
	if r.Machine.WinPE == nil || r.Environment != tasksequence.FullOS || !r.run.Plan().Stages() {
		return nil, nil
	}
	image, lacks, err := r.Machine.WinPE.Available(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return r.run.Plan().ForeseeStaging(err.Error()), nil
	}
	return r.run.Plan().ForeseeStagedParts(fmt.Sprintf("the Windows PE image %.12s", image), lacks), nil
}

// lacks says what this agent does not know of a step. Of the kinds of step that it
// brings itself it knows the options: one that a newer version added would be passed
// over in silence.
func (r *Runner) lacks(d tasksequence.Definition, n *tasksequence.Node) string {
	if r.Executors[d.Executor] == nil {
		return "the step " + d.Name
	}
	own, builtin := tasksequence.BuiltinCatalogue().Find(d.ID, 0)
	if !builtin {
		return ""
	}
	if d.Version > own.Version {
		return fmt.Sprintf("version %d of the step %s", d.Version, d.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(n.Settings)) {
		_, known := own.Option(name)
		if _, meant := d.Option(name); meant && !known {
			return fmt.Sprintf("the option %s of the step %s", name, d.Name)
		}
	}
	return ""
}
