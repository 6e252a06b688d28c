package session

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/client"
	"slipway/agent/internal/runner"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// serve signs in, chooses and runs. again: the way starts anew from looking for
// the appliance.
func (s *Session) serve(ctx context.Context, c *client.Client) (way boot.Way, again bool, err error) {
	unfinished := ""
	for {
		if again, err := s.signIn(ctx, c); err != nil || again {
			return boot.Restart, again, err
		}
		way, next, err := s.deploy(ctx, c, &unfinished)
		switch {
		case ctx.Err() != nil:
			return boot.Restart, false, ctx.Err()
		case errors.Is(err, runner.ErrSignedIn), client.Status(err) == http.StatusUnauthorized:
			s.Log.Warn("signed out by the appliance")
			s.forget()
			c.SetToken(wire.Token{})
			continue
		case err != nil:
			_, err := s.callFailed(ctx, err)
			return boot.Restart, true, err
		case next == "again":
			continue
		}
		return way, false, nil
	}
}

// deploy chooses what to run and runs it with a token that is kept fresh.
// unfinished carries the deployment over a new sign-in.
func (s *Session) deploy(ctx context.Context, c *client.Client, unfinished *string) (boot.Way, string, error) {
	ctx, stop := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer stop()
	keeping.Go(func() { _ = s.keepToken(ctx, c) })
	keeping.Go(func() { s.tellFacts(ctx, c) })
	var d wire.Deployment
	var err error
	if *unfinished != "" {
		d, err = s.resume(ctx, c, *unfinished)
	} else {
		d, err = s.choose(ctx, c)
	}
	if err != nil {
		return boot.Restart, "", err
	}
	*unfinished = d.ID
	outcome, tail, err := s.runAll(ctx, c, d)
	if err != nil {
		return boot.Restart, "", err
	}
	*unfinished = ""
	return s.result(ctx, d, outcome, tail)
}

func (s *Session) keepToken(ctx context.Context, c *client.Client) error {
	err := c.KeepToken(ctx, func() { s.remember(c) })
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
	in := wire.StartDeployment{Sequence: sequence, Environment: wire.LinuxPE, Key: rand.Text()}
	return s.patiently(ctx, "Starting the task sequence", func(ctx context.Context) (wire.Deployment, error) { return c.Start(ctx, in) })
}

func (s *Session) resume(ctx context.Context, c *client.Client, id string) (wire.Deployment, error) {
	return s.patiently(ctx, "Continuing the deployment", func(ctx context.Context) (wire.Deployment, error) { return c.Resume(ctx, id) })
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
