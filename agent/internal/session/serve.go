package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/runner"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// serve signs in, chooses and runs. again: the way starts anew from looking for
// the appliance.
func (s *Session) serve(ctx context.Context, c *client.Client) (way boot.Way, again bool, err error) {
	unfinished := s.Unfinished
	for {
		deployment, again, err := s.signIn(ctx, c)
		if err != nil || again {
			return boot.Restart, again, err
		}
		way, next, err := s.deploy(ctx, c, cmp.Or(unfinished, deployment))
		switch {
		case ctx.Err() != nil:
			return boot.Restart, false, ctx.Err()
		case errors.Is(err, ErrUnattended), errors.Is(err, ErrElsewhere), errors.Is(err, ErrReturned), errors.Is(err, ErrGone):
			return boot.Restart, false, err
		case errors.Is(err, runner.ErrSignedIn), client.Status(err) == http.StatusUnauthorized:
			s.Log.Warn("signed out by the appliance")
			s.signOut(c)
			unfinished = next
			continue
		case err != nil:
			if deployment != "" && !client.Temporary(err) {
				s.signOut(c) // the kept sign-in leads nowhere
			}
			_, err := s.callFailed(ctx, err)
			return boot.Restart, true, err
		case next == "again":
			unfinished = ""
			continue
		}
		return way, false, nil
	}
}

// deploy carries out a deployment and shows how it ended; what was kept of the
// sign-in is wiped then, because the token ends with the deployment. With an
// error, next is the deployment to go on with after a new sign-in.
func (s *Session) deploy(ctx context.Context, c *client.Client, unfinished string) (way boot.Way, next string, err error) {
	d, outcome, tail, err := s.carryOut(ctx, c, unfinished)
	if err != nil {
		return boot.Restart, d.ID, err
	}
	switch {
	case outcome.Status != runner.Rebooting:
		s.forget()
	case outcome.Target == tasksequence.RebootDisk:
		s.save(d.ID) // without the restart, which is acknowledged
		s.handOver(ctx, d.ID)
	default:
		s.save(d.ID)
	}
	return s.result(ctx, d, outcome, tail)
}

// carryOut takes up the unfinished deployment, or chooses one, and runs it with
// a token that is kept fresh.
func (s *Session) carryOut(ctx context.Context, c *client.Client, unfinished string) (d wire.Deployment, o runner.Outcome, tail []string, err error) {
	ctx, stop := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer stop()
	var running atomic.Value
	running.Store(unfinished)
	keeping.Go(func() { _ = s.keepToken(ctx, c, &running) })
	keeping.Go(func() { s.tellFacts(ctx, c) })
	if err := s.afterSignIn(ctx); err != nil {
		return wire.Deployment{ID: unfinished}, o, nil, err
	}
	if unfinished != "" {
		d, err = s.takeOver(ctx, c, unfinished)
	} else {
		d, err = s.choose(ctx, c)
	}
	if errors.Is(err, errToDisk) {
		return d, runner.Outcome{Status: runner.Rebooting}, nil, nil
	}
	if err != nil {
		return wire.Deployment{ID: unfinished}, o, nil, err
	}
	running.Store(d.ID)
	s.remember(c, d.ID)
	o, tail, err = s.runAll(ctx, c, d)
	return d, o, tail, err
}

func (s *Session) keepToken(ctx context.Context, c *client.Client, running *atomic.Value) error {
	err := c.KeepToken(ctx, func() { s.remember(c, running.Load().(string)) })
	if ctx.Err() == nil {
		s.Log.Warn("token not renewed", "error", err)
	}
	return err
}

// tellFacts sends what was gathered. A deployment does not wait for it.
func (s *Session) tellFacts(ctx context.Context, c *client.Client) {
	err := client.Retry(ctx, nil, func(ctx context.Context) error { return c.Facts(ctx, s.allFacts()) })
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("facts not taken by the appliance", "error", err)
	}
}

// start starts a sequence; its key makes a repeated call harmless.
func (s *Session) start(ctx context.Context, c *client.Client, sequence string) (wire.Deployment, error) {
	in := wire.StartDeployment{Sequence: sequence, Environment: s.environment(), Variables: s.Variables, Key: rand.Text()}
	return s.patiently(ctx, "Starting the task sequence", func(ctx context.Context) (wire.Deployment, error) { return c.Start(ctx, in) })
}

func (s *Session) resume(ctx context.Context, c *client.Client, id string) (wire.Deployment, error) {
	return s.patiently(ctx, "Continuing the deployment", func(ctx context.Context) (wire.Deployment, error) { return c.Resume(ctx, id, s.environment()) })
}

// patiently repeats a call while the appliance does not answer, and shows why.
func (s *Session) patiently(ctx context.Context, what string, call func(context.Context) (wire.Deployment, error)) (wire.Deployment, error) {
	n := screen.NewNotice("Deployment", what, screen.Calm)
	n.Next = "Asking the appliance"
	s.Display.Show(n)
	var d wire.Deployment
	err := client.Retry(ctx, func(err error) {
		s.Display.Update(func() { n.Text = "No answer from the appliance yet: " + client.Explain(err) + "." })
	}, func(ctx context.Context) (err error) {
		d, err = call(ctx)
		return err
	})
	return d, err
}
