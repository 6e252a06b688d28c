package installed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/certificate"
	"slipway/agent/internal/client"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/runner"
	"slipway/agent/internal/session"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
)

// agent is one start.
type agent struct {
	options   options
	version   string
	stdin     *os.File
	out, errs *lines
	network   session.Network
	facts     facts.Facts
	power     power
	autostart autostart
	exec      steps.Exec
	temporary string       // folder for files of steps, in memory where there is one
	unplace   func() error // removes an agent that was placed here for one deployment
	now       func() time.Time
	stage     stage        // puts Windows PE onto the disk; nil: this is no Windows
	toDisk    func() error // waits until what steps wrote is on the disk; nil: nothing is waited for
	allowed   func() error // whether who runs the agent may change the system; nil: anybody may, in tests

	config  Config
	cert    *tls.Certificate
	state   *state
	ended   *runner.Outcome // the deployment's, once it is over
	clocked bool            // the clock was warned of
}

// stage is *bootstage.Stage.
type stage interface {
	session.Stage
	Staged() (deployment string)
}

// fail writes why the start ends and returns its exit code.
func (a *agent) fail(code int, err error) int {
	a.errs.say("slipway-agent: %v", err)
	return code
}

func (a *agent) run(ctx context.Context) int {
	if err := a.prepare(); err != nil {
		return a.fail(ExitUsage, err)
	}
	unfinished := a.state.unfinished()
	returned := a.stage != nil && unfinished != "" && a.stage.Staged() == unfinished
	a.unstage(ctx)
	err := a.deploy(ctx, unfinished, returned)
	if err == nil && a.ended != nil && a.ended.Status == runner.Rebooting {
		return a.restart(ctx)
	}
	code := a.code(ctx, err)
	// Nothing is left to go on with: neither is anything left on the disk.
	if a.ended != nil || errors.Is(err, session.ErrGone) || errors.Is(err, session.ErrReturned) || a.state.unfinished() == "" {
		a.clean(ctx)
	} else if err := a.state.close(); err != nil {
		a.errs.say("slipway-agent: %v", err)
	}
	if err == nil && a.ended != nil {
		return a.finish(ctx, code)
	}
	return code
}

// prepare reads what the start needs. Nothing is begun when it fails.
func (a *agent) prepare() (err error) {
	if a.config, err = Load(a.options.config); err != nil {
		return err
	}
	for _, w := range a.config.Warnings() {
		a.errs.say("Warning: %s", w)
	}
	if o := a.config.Certificate; o != nil {
		o.Warn = func(text string) { a.errs.say("Warning: %s", text) }
		c, err := certificate.Load(*o)
		if err != nil {
			return fmt.Errorf("the certificate of the configuration: %w", err)
		}
		a.cert = &c
	}
	if a.allowed != nil {
		if err := a.allowed(); err != nil {
			return err
		}
	}
	a.state, err = openState(a.options.state)
	return err
}

// deploy goes the way from the network to the end of the deployment.
// returned says that this Windows started in place of the Windows PE on its disk.
func (a *agent) deploy(ctx context.Context, unfinished string, returned bool) error {
	identity, err := client.KeepIdentity(filepath.Join(a.state.dir, "identity.pem"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	display, leave, err := a.display(ctx)
	if err != nil {
		return err
	}
	defer leave()
	settled := make(chan struct{})
	close(settled)
	s := &session.Session{Display: display, Network: a.network, Settled: settled, Hardware: func() []string { return nil }, Rescan: func() {},
		Image:       boot.Image{Installation: a.config.Installation, Authorities: a.config.Authorities, Servers: []string{a.config.Server}},
		Environment: wire.FullOS, Certificate: a.cert, Passcode: a.config.Passcode, Sequence: a.config.Sequence,
		Variables: a.config.Variables, Unattended: a.options.unattended, Unfinished: unfinished,
		Facts: a.facts, Identity: identity, Version: a.version, Now: a.now, SetClock: a.clock, Keyboard: func(string) {},
		Machine: steps.Machine{Exec: a.exec, Files: steps.LocalFiles{Dir: a.temporary}, Settle: a.toDisk},
		Log:     a.logger(), StateDir: a.state.dir, Watch: a.out.event,
		Began: func(d wire.Deployment) { a.began(ctx, d) },
		Ended: func(o runner.Outcome) { a.ended = &o }}
	if a.stage != nil {
		s.Stage, s.Returned = a.stage, returned
	}
	_, err = s.Run(ctx)
	return err
}

// unstage takes back what put Windows PE onto the disk: it is not needed any more once this
// Windows runs, and at the end.
func (a *agent) unstage(ctx context.Context) {
	if a.stage == nil {
		return
	}
	err := a.stage.Undo(context.WithoutCancel(ctx), func(level, text string) {
		if level == "info" {
			a.out.say("%s", text)
		} else {
			a.errs.say("Warning: %s", text)
		}
	})
	if err != nil {
		a.errs.say("Warning: %v", err)
	}
}

func (a *agent) logger() *slog.Logger {
	if !a.options.unattended { // the screen is in use
		return slog.New(slog.DiscardHandler)
	}
	level := slog.LevelWarn
	if a.options.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.errs.to, &slog.HandlerOptions{Level: level}))
}

// clockSlack is how far the clock may be off before that is said.
const clockSlack = 30 * time.Second

// clock is told by how much the clock is off. An installed OS keeps its clock
// itself; whether the certificates are valid by it is seen right after.
func (a *agent) clock(appliance time.Time) error {
	off := appliance.Sub(a.now()).Round(time.Second)
	if !a.clocked && off.Abs() > clockSlack { // on a slow way the answer itself is old
		a.clocked = true
		word := "behind"
		if off < 0 {
			word, off = "ahead of", -off
		}
		a.errs.say("Warning: the clock of this computer is %s %s the appliance's", off, word)
	}
	return nil
}

// began keeps the deployment and makes sure that the agent comes back.
func (a *agent) began(ctx context.Context, d wire.Deployment) {
	a.out.began(d)
	if err := a.state.begin(d.ID); err != nil {
		a.errs.say("Warning: %v", err)
	}
	if err := a.installService(ctx); err != nil {
		a.errs.say("Warning: %v: after a restart of the computer, start the agent again by hand", err)
	}
}
