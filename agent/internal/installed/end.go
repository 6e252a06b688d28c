package installed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/runner"
	"slipway/agent/internal/session"
)

// restart leaves the deployment as it is and restarts the computer.
func (a *agent) restart(ctx context.Context) int {
	text := "The computer restarts, and the deployment goes on afterwards"
	switch {
	case a.ended.Staged != "":
		text = "The computer restarts into Windows PE from its own disk, where the deployment goes on"
	case a.ended.Target == "image":
		text = "The computer restarts; the deployment goes on in the boot image, from the network"
	}
	a.out.say("%s", text)
	if err := a.state.close(); err != nil {
		a.errs.say("slipway-agent: %v", err)
	}
	if err := a.power.restart(context.WithoutCancel(ctx)); err != nil {
		return a.fail(ExitRestart, fmt.Errorf("restart it by hand: %w", err))
	}
	return ExitRestart
}

// clean removes all that was kept, then the service: in this order a power
// failure in between leaves a service that starts nothing.
func (a *agent) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	a.unstage(ctx)
	errs := []error{a.state.wipe(), os.RemoveAll(a.temporary), a.autostart.remove(ctx)}
	if a.config.Temporary {
		errs = append(errs, a.unplace())
	}
	for _, err := range errs {
		if err != nil {
			a.errs.say("Warning: %v", err)
		}
	}
}

// code is the exit code, after a line that says why.
func (a *agent) code(ctx context.Context, err error) int {
	switch {
	case err == nil && a.ended != nil:
		return a.result(*a.ended)
	case ctx.Err() != nil:
		return a.fail(ExitStopped, errors.New("ended from outside; an unfinished deployment goes on with the next start"))
	case errors.Is(err, session.ErrRefused):
		return a.fail(ExitRefused, err)
	case errors.Is(err, session.ErrElsewhere):
		return a.fail(ExitRestart, err)
	case errors.Is(err, session.ErrGone), errors.Is(err, session.ErrReturned):
		return a.fail(ExitFailed, err)
	case errors.Is(err, session.ErrUnattended):
		return a.fail(ExitUsage, err)
	case client.NotOurs(err):
		return a.fail(ExitStopped, fmt.Errorf("what answers at %s is not the appliance of the configuration: its certificate is not signed by the CA there; "+
			"print the configuration again on the appliance: slipway agent-config", a.config.Server))
	case err == nil:
		err = errors.New("it ended without a result")
	}
	return a.fail(ExitStopped, err)
}

func (a *agent) result(o runner.Outcome) int {
	switch o.Status {
	case runner.Succeeded:
		if o.Tolerated > 0 {
			a.out.say("Succeeded; %d of the steps failed and were passed over", o.Tolerated)
		} else {
			a.out.say("Succeeded")
		}
		return ExitSucceeded
	case runner.Cancelled:
		a.out.say("Cancelled: %s", o.Message)
		return ExitFailed
	}
	if o.Step != "" {
		a.out.say("Failed: step %q: %s", o.Step, o.Message)
	} else {
		a.out.say("Failed: %s", o.Message)
	}
	return ExitFailed
}

// finish does what the variable FinishAction says: in an installed OS nothing
// when it says nothing.
func (a *agent) finish(ctx context.Context, code int) int {
	ctx = context.WithoutCancel(ctx)
	if a.ended.Status != runner.Succeeded {
		return code
	}
	var err error
	switch a.ended.Finish {
	case "reboot":
		a.out.say("The computer restarts (FinishAction)")
		err = a.power.restart(ctx)
	case "shutdown":
		a.out.say("The computer switches off (FinishAction)")
		err = a.power.off(ctx)
	case "reseal":
		a.out.say("The computer is handed over as if it were new, and switches off (FinishAction)")
		err = a.power.reseal(ctx)
	}
	if err != nil {
		a.errs.say("Warning: FinishAction %s: %v", a.ended.Finish, err)
	}
	return code
}
