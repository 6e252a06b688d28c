package auth

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// ListDeviceTokens lists the tokens of devices that are good now, newest first.
// Their hashes are left out.
func (s *Service) ListDeviceTokens(context.Context) ([]fleet.Token, error) {
	out := []fleet.Token{}
	err := s.store.View(func(tx *state.Tx) error {
		for t := range tx.Tokens().All() {
			if t.Kind == fleet.TokenDevice && s.now().Before(t.ExpiresAt) {
				t.Hash = ""
				out = append(out, t)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("auth: read tokens: %w", err)
	}
	slices.SortFunc(out, func(a, b fleet.Token) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// RevokeDeviceToken takes a device's token away by its public id, effective with
// its next call. API tokens are not touched. ErrNotFound.
func (s *Service) RevokeDeviceToken(ctx context.Context, actor Actor, id string) error {
	var gone fleet.Token
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		gone = fleet.Token{}
		for t := range tx.Tokens().ByID(id) {
			if t.Kind != fleet.TokenDevice {
				continue
			}
			gone = t
			if err := tx.Tokens().Delete(t.Hash); err != nil {
				return err
			}
		}
		if gone.ID == "" {
			return ErrNotFound
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("auth: revoke token: %w", err)
	}
	s.note(ctx, fleet.AuditEntry{
		Actor: actor.Name, Address: actor.Address, Action: "token.revoked", Object: id, Device: gone.DeviceID,
		Reason: "of " + gone.Actor, Outcome: "ok",
	})
	return nil
}
