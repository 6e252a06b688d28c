package session

import (
	"context"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// cloud has the appliance fetch what a deployment's steps want of its catalogues.
type cloud struct {
	api        *client.Client
	deployment string
	face       *face
}

// Fetch implements steps.Cloud.
func (x cloud) Fetch(ctx context.Context, q wire.CloudQuery) (out wire.CloudAnswer, err error) {
	err = x.face.insist(ctx, func(ctx context.Context) error {
		out, err = x.api.Cloud(ctx, x.deployment, q)
		return err
	})
	return out, err
}
