package session

import (
	"context"
	"encoding/json"
	"fmt"

	"slipway/agent/internal/bootstage"
	"slipway/agent/internal/client"
	"slipway/agent/internal/content"
	"slipway/agent/internal/runner"
	"slipway/agent/wire"
)

// Stage puts Windows PE onto the disk of the Windows that runs. *bootstage.Stage.
type Stage interface {
	Put(ctx context.Context, deployment string, image wire.WinPEImage, fetch bootstage.Fetch, log bootstage.Log) error
	Undo(ctx context.Context, log bootstage.Log) error
}

// winPE implements steps.WinPE for one deployment.
type winPE struct {
	s          *Session
	api        *client.Client
	deployment string
	face       *face
	source     *content.Source
}

// ask asks the appliance for the image, with a binding also for a token.
func (x winPE) ask(ctx context.Context, binding string) (out wire.WinPEImage, err error) {
	in := wire.WinPERequest{Format: wire.WinPEFormat, Architecture: x.s.Facts["Architecture"], Binding: binding}
	err = x.face.insist(ctx, func(ctx context.Context) error {
		out, err = x.api.WinPE(ctx, x.deployment, in)
		return err
	})
	if err == nil && out.Format != wire.WinPEFormat {
		err = fmt.Errorf("the appliance answers in format %d, this agent knows %d: put the appliance's own agent in its place", out.Format, wire.WinPEFormat)
	}
	return out, err
}

// Available implements steps.WinPE.
func (x winPE) Available(ctx context.Context) (image string, lacks map[string]string, err error) {
	out, err := x.ask(ctx, "")
	return out.Image, out.Lacks, err
}

// Stage implements steps.WinPE. The sign-in that lies on the disk afterwards is one that
// Windows PE can use.
func (x winPE) Stage(ctx context.Context, progress func(int, string), log func(level, text string)) (string, error) {
	image, err := x.ask(ctx, "")
	if err != nil {
		return "", err
	}
	var done, all int64
	for _, f := range image.Files {
		all += f.Size
	}
	fetch := func(ctx context.Context, f wire.BootFile, name string) error {
		return x.source.BootFile(ctx, f, name, func(n int64) {
			done += n
			progress(int(done*100/max(all, 1)), "Fetching Windows PE")
		})
	}
	if err := x.s.Stage.Put(ctx, x.deployment, image, fetch, log); err != nil {
		return "", err
	}
	if err := x.handSignIn(ctx); err != nil {
		return "", withUndo(ctx, err, x.s.Stage, log)
	}
	return image.Image, nil
}

func withUndo(ctx context.Context, err error, stage Stage, log bootstage.Log) error {
	if undo := stage.Undo(context.WithoutCancel(ctx), log); undo != nil {
		return fmt.Errorf("%w; and what was begun could not be taken back: %w", err, undo)
	}
	return err
}

// handSignIn keeps a token of the agent's own key, where the present one is bound to the
// machine's certificate.
func (x winPE) handSignIn(ctx context.Context) error {
	own := client.Binding(x.s.Identity)
	if client.Binding(x.api.Identity()) == own {
		return nil
	}
	answer, err := x.ask(ctx, own)
	if err != nil {
		return fmt.Errorf("a sign-in for Windows PE: %w", err)
	}
	if answer.Token == nil {
		return fmt.Errorf("the appliance gives no sign-in for Windows PE")
	}
	text, err := json.Marshal(kept{Token: *answer.Token, Binding: own, Warning: x.s.warning, Deployment: x.deployment})
	if err != nil {
		return fmt.Errorf("keep the sign-in for Windows PE: %w", err)
	}
	x.s.handed.Store(true)
	x.s.keepIdentity()
	if err := x.s.write(tokenFile, string(text)); err != nil {
		return fmt.Errorf("keep the sign-in for Windows PE: %w", err)
	}
	return nil
}

// giveBack ends a deployment whose Windows PE did not start, or not again: the next steps
// belong there, and this Windows was not overwritten yet.
func (s *Session) giveBack(ctx context.Context, c *client.Client, d wire.Deployment, why string) error {
	err := client.Retry(ctx, nil, func(ctx context.Context) error {
		return s.end(ctx, c, d, runner.Failed, why+" The boot entry and its files are removed. Start the deployment again.")
	})
	if err != nil {
		return err
	}
	return ErrReturned
}
