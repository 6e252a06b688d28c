package session

import (
	"context"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// domainJoin has the appliance make the account of a deployment's computer.
type domainJoin struct {
	api        *client.Client
	deployment string
	face       *face
}

// Provision implements steps.DomainJoin.
func (j domainJoin) Provision(ctx context.Context, r wire.DomainJoinRequest) (out wire.DomainJoin, err error) {
	err = j.face.insist(ctx, func(ctx context.Context) error {
		out, err = j.api.DomainJoin(ctx, j.deployment, r)
		return err
	})
	return out, err
}
