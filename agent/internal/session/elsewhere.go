package session

import (
	"context"
	"net/http"

	"slipway/agent/internal/client"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// takeOver goes on with an unfinished deployment, unless its next step belongs
// elsewhere: it waits for the boot image and the firmware started the disk's OS
// instead, or the other way round.
func (s *Session) takeOver(ctx context.Context, c *client.Client, id string) (wire.Deployment, error) {
	if s.environment() == wire.FullOS {
		d, err := s.patiently(ctx, "Asking about the deployment", func(ctx context.Context) (wire.Deployment, error) { return c.Deployment(ctx, id) })
		switch {
		case client.Status(err) == http.StatusNotFound:
			return d, ErrGone
		case err != nil:
			return d, err
		case d.WaitsFor == "image" && s.Returned:
			return d, s.giveBack(ctx, c, d, "Windows PE did not start from the computer's own disk: its Windows started again, and is still there.")
		case d.WaitsFor == "" && d.Environment == wire.WinPE && s.Returned:
			// Its one-time boot entry is used up.
			return d, s.giveBack(ctx, c, d, "The computer was restarted, or lost power, while Windows PE was at work: its Windows started again, and is still there.")
		case d.WaitsFor == "image":
			return d, ErrElsewhere
		}
	}
	if s.environment() != wire.FullOS {
		d, err := s.patiently(ctx, "Asking about the deployment", func(ctx context.Context) (wire.Deployment, error) { return c.Deployment(ctx, id) })
		if err != nil {
			return d, err
		}
		if s.belongsToDisk(d) {
			if err := s.toDisk(ctx, d); err != nil {
				return d, err
			}
		}
	}
	return s.resume(ctx, c, id)
}

// belongsToDisk reports whether a deployment goes on in the installed OS: it waits for it,
// or was at work there. A restart into the boot image may stand in the journal only.
func (s *Session) belongsToDisk(d wire.Deployment) bool {
	if _, over := final(d); over || d.WaitsFor != "disk" && (d.WaitsFor != "" || d.Environment != wire.FullOS) {
		return false
	}
	if j := s.journal(); j != nil {
		kept, err := j.Kept()
		if e, ok := kept.Restart(); err == nil && ok && kept.Deployment == d.ID && e.Target == tasksequence.RebootImage {
			return false
		}
	}
	return true
}

// toDisk asks a person to start the computer from its disk; errToDisk is the answer that
// it does. Without an error the deployment goes on here.
func (s *Session) toDisk(ctx context.Context, d wire.Deployment) error {
	s.Log.Warn("the deployment goes on from the disk, and the boot image was started", "deployment", d.ID)
	page := screen.NewChoice("Unfinished deployment", "This deployment goes on from the computer's disk", []screen.Item{
		{Name: "Restart from the disk", Description: "Remove the boot medium first, or put the disk before it in the boot order."},
		{Name: "Go on here: " + d.Name, Description: "Steps for the installed system are left out. Only when that does not start."},
	})
	s.Display.Show(page)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case i := <-page.Chosen():
		if i == 0 {
			return errToDisk
		}
		return nil
	}
}
