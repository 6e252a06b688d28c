// Package session is the way of a device from power-on to its result: network,
// appliance, clock, sign-in, choice, deployment, and what is shown at each turn.
// Every failure leads to a page that says what was tried and tries again.
package session

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/network"
	"slipway/agent/internal/runner"
	"slipway/agent/internal/screen"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/toolpack"
	"slipway/agent/wire"
)

// Network is what the session needs of the network manager.
type Network interface {
	Adapters() []network.Adapter
}

// Session holds what the way of a device needs. All fields are set by the caller.
type Session struct {
	Display  *screen.Display
	Network  Network
	Changed  <-chan struct{} // network or hardware changed; one pending message is enough
	Settled  <-chan struct{} // closed when the first look at the hardware is over
	Hardware func() []string // adapters that cannot be used, with the reason, one line each
	Rescan   func()          // looks at the hardware again
	Image    boot.Image
	ImageErr error // why Image is not complete
	Args     boot.Args
	Facts    facts.Facts
	Identity tls.Certificate
	Version  string
	Now      func() time.Time
	SetClock func(time.Time) error
	Keyboard func(code string) // sets the layout, unless the technician chose one
	Machine  steps.Machine
	Tools    *toolpack.Pack // of the boot image; nil: the system has what it has
	Target   Target         // the system that is being installed; nil: none can be
	Stage    Stage          // puts Windows PE onto the disk of the installed Windows; nil: this is none
	Hooks    Hooks          // of the boot image, after the sign-in
	StateDir string         // in memory, on disk in an installed OS; what is kept there survives a crash of the agent

	Environment string           // wire.LinuxPE when empty
	Certificate *tls.Certificate // the machine's own, for certificate sign-in; nil: none
	Passcode    string           // the variable Passcode of an installed OS; tried once, before any person is asked
	Sequence    string           // TSID, "id" or "id:version": runs without asking, and wins over an assigned one
	Variables   []wire.Variable  // given at the start, e.g. by the configuration file
	Unattended  bool             // nobody is there: what would wait for a person ends the way with an error
	Unfinished  string           // the deployment that Began told of before a restart: it is gone on with, or seen to be over
	Log         *slog.Logger

	// What the caller may want to know; functions that are nil are not called.
	Began func(wire.Deployment) // a deployment starts or goes on; before its first step
	Watch func(wire.Event)      // is told every event of the deployment as it is reported
	Ended func(runner.Outcome)  // how the deployment ended here, Rebooting included

	// Returned says that Windows PE was to start from this computer's own disk for the
	// unfinished deployment, and that its Windows started instead.
	Returned bool

	handed    atomic.Bool      // the kept sign-in is one for Windows PE, and stays so
	volume    steps.OpenVolume // of the installed system that goes on; nil: it lies where Target.Root is, or does not go on
	recovered bool             // the disks were looked at for an earlier start's state
	typed     string           // address typed by the technician
	tried     bool             // the passcode of the command line was tried
	given     bool             // Passcode was tried
	warning   string           // what anonymous sign-in warns of; empty after any other
	hooked    bool             // the hooks ran

	hookFailures []string // which of them failed, one line each
}

// Errors that end the way.
var (
	// ErrUnattended says that the way cannot go on without a person; the text says what to change.
	ErrUnattended = errors.New("nobody is there to answer")
	// ErrRefused says that the appliance accepts nothing of what the start was given.
	ErrRefused = errors.New("not signed in")
	// ErrElsewhere says that the deployment goes on in the boot image.
	ErrElsewhere = errors.New("this deployment goes on in the boot image: start this computer from the network")
	// ErrReturned says that Windows PE did not start from the disk; the deployment has failed.
	ErrReturned = errors.New("the computer was to start Windows PE from its disk, and its Windows started instead: the deployment has ended")
	// ErrGone says that the deployment to go on with is not on record any more.
	ErrGone = errors.New("the appliance does not know the unfinished deployment any more")
	// ErrClock says that the appliance cannot be trusted because the clock is wrong.
	ErrClock = errors.New("the clock of this computer is wrong")

	errToDisk   = errors.New("the computer restarts from its disk")
	errNoTarget = errors.New("there is no system here that the agent could be put into")
)

func (s *Session) environment() string { return cmp.Or(s.Environment, wire.LinuxPE) }

// Run goes the whole way and says how the machine ends. The error is ctx's or one
// of those above; in a boot image it is always ctx's.
func (s *Session) Run(ctx context.Context) (boot.Way, error) {
	if s.ImageErr != nil {
		if s.Unattended {
			return boot.Restart, fmt.Errorf("%w: %w", ErrUnattended, s.ImageErr)
		}
		return s.damaged(ctx)
	}
	s.typed = s.kept("address")
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	watching.Go(func() { s.watchNetwork(ctx) })
	for {
		c, err := s.connect(ctx)
		if err != nil {
			return boot.Restart, err
		}
		way, again, err := s.serve(ctx, c)
		c.Close()
		if errors.Is(err, ErrUnattended) || errors.Is(err, ErrReturned) || errors.Is(err, ErrGone) {
			s.forget() // nothing goes on with it
		}
		if err != nil || !again {
			return way, err
		}
	}
}

// damaged is the end of the way for an image that lacks its own description.
func (s *Session) damaged(ctx context.Context) (boot.Way, error) {
	n := screen.NewNotice("Boot image", "This boot image is damaged", screen.Trouble)
	n.Text = s.ImageErr.Error() + ".\nBuild the boot image again and start this computer anew."
	n.Actions = []screen.Action{screen.ActionRestart()}
	s.Display.Show(n)
	select {
	case <-n.Chosen():
		return boot.Restart, nil
	case <-ctx.Done():
		return boot.Restart, ctx.Err()
	}
}

// wait waits for an action of a notice or for its end of time, which gives "".
func (s *Session) wait(ctx context.Context, n *screen.Notice) (string, error) {
	var over <-chan time.Time
	if !n.Until.IsZero() {
		timer := time.NewTimer(n.Until.Sub(s.Now()))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case choice := <-n.Chosen():
		return choice, nil
	case <-over:
		return "", nil
	}
}
