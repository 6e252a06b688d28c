package steps

import (
	"context"

	"slipway/agent/wire"
)

// Cloud has the appliance fetch what its catalogues name.
type Cloud interface {
	// Fetch asks once; the answer names content, or says when to ask again.
	Fetch(ctx context.Context, q wire.CloudQuery) (wire.CloudAnswer, error)
}
