package session

import (
	"context"
	"net/http"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// takeOver goes on with an unfinished deployment, unless it waits for the boot
// image and this is an installed OS: its firmware started the disk instead, and
// the next step belongs into the boot image.
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
	return s.resume(ctx, c, id)
}
