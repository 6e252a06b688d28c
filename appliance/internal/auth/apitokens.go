package auth

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const (
	defaultAPITokenLife = 90 * 24 * time.Hour
	maxAPITokenLife     = 366 * 24 * time.Hour
	maxAPITokens        = 200
)

// AddToken makes a named API token and returns its value, which is shown this
// once. A ttl of zero means 90 days; the longest is a year. Errors:
// *InvalidError ("name", "role", "ttl"), ErrExists.
func (s *Service) AddToken(ctx context.Context, actor Actor, name string, role fleet.Role, ttl time.Duration) (value string, t fleet.Token, err error) {
	if ttl == 0 {
		ttl = defaultAPITokenLife
	}
	key, err := accountKey(name)
	switch {
	case err != nil:
		return "", t, err
	case !role.Includes(fleet.RoleViewer):
		return "", t, errRole
	case ttl < time.Minute || ttl > maxAPITokenLife:
		return "", t, &InvalidError{Field: "ttl", Detail: "Use a time between one minute and 366 days."}
	}
	value = newSecret(apiPrefix)
	now := s.now().UTC()
	t = fleet.Token{
		Hash: hashOf(value), ID: hex.EncodeToString(randomBytes(6)), Kind: fleet.TokenAPI, Name: key, Role: role,
		Actor: "token:" + key, CreatedAt: now, ExpiresAt: now.Add(ttl),
	}
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		n := 0
		for o := range tx.Tokens().All() {
			switch {
			case o.Kind != fleet.TokenAPI:
				continue
			case o.Name != key:
				n++
			case now.Before(o.ExpiresAt):
				return ErrExists
			default: // the expired one makes room for its successor
				if err := tx.Tokens().Delete(o.Hash); err != nil {
					return err
				}
			}
		}
		if n >= maxAPITokens {
			return &InvalidError{Field: "name", Detail: fmt.Sprintf("There are %d tokens already: revoke one first.", n)}
		}
		return tx.Tokens().Put(t)
	})
	if err != nil {
		return "", fleet.Token{}, fmt.Errorf("auth: add token: %w", err)
	}
	s.done(ctx, actor, "token.added", key, fmt.Sprintf("role %s, until %s", role, t.ExpiresAt.Format(time.DateOnly)))
	t.Hash = ""
	return value, t, nil
}

// ListTokens lists the API tokens by name, expired ones included until they are
// removed. Their hashes are left out.
func (s *Service) ListTokens(context.Context) ([]fleet.Token, error) {
	out := []fleet.Token{}
	err := s.store.View(func(tx *state.Tx) error {
		for t := range tx.Tokens().All() {
			if t.Kind == fleet.TokenAPI {
				t.Hash = ""
				out = append(out, t)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b fleet.Token) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}
