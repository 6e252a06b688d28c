package session

import (
	"context"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// entra lets a person sign in at a browser elsewhere.
func (s *Session) entra(_ context.Context, _ *client.Client, o *offer) (turn, error) {
	if s.Passcode != "" && !s.given && o.has(wire.Passcode) {
		return passed, nil // what was given at the start comes before asking a person
	}
	if s.Unattended {
		return o.pass("Entra ID needs a person"), nil
	}
	return o.pass("Entra ID is not in this boot image"), nil
}
