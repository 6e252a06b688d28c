package steps

import (
	"context"

	"slipway/agent/wire"
)

// DomainJoin makes a computer's account in a domain.
type DomainJoin interface {
	// Provision has the account made and answers the blob, a secret.
	Provision(ctx context.Context, r wire.DomainJoinRequest) (wire.DomainJoin, error)
}
