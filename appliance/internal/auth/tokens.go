package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

const (
	// deviceTokenLife is how long a device token is good for without renewal.
	deviceTokenLife = 4 * time.Hour
	// deviceTokenBound is the longest a token lives with renewals: the longest
	// deployment, weekends included.
	deviceTokenBound = 72 * time.Hour
	// tokensPerDevice is how many live tokens one device has; the oldest goes, those
	// of running deployments last.
	tokensPerDevice = 8
	// expiredKept is how long an expired token is told from an unknown one.
	expiredKept = 24 * time.Hour
)

// The prefixes tell people and secret scanners what they found.
const (
	devicePrefix = "swd_"
	apiPrefix    = "swa_"
)

// newSecret makes 256 random bits as text that any header or cookie can carry.
func newSecret(prefix string) string {
	return prefix + base64.RawURLEncoding.EncodeToString(randomBytes(32))
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// issue makes and stores a token, and returns its value, which is kept nowhere.
// use, if any, is part of the same transaction; see proof.
func (s *Service) issue(ctx context.Context, t fleet.Token, use func(tx *state.Tx, device string) error) (string, fleet.Token, error) {
	return s.issueSince(ctx, t, s.now().UTC(), use)
}

// issueSince is issue for a token that counts as one of a sign-in at began.
func (s *Service) issueSince(ctx context.Context, t fleet.Token, began time.Time, use func(tx *state.Tx, device string) error) (string, fleet.Token, error) {
	value := newSecret(devicePrefix)
	t.Hash, t.ID = hashOf(value), hex.EncodeToString(randomBytes(6))
	t.CreatedAt = began
	t.ExpiresAt = earlier(s.now().UTC().Add(deviceTokenLife), began.Add(deviceTokenBound))
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		if use != nil {
			if err := use(tx, t.DeviceID); err != nil {
				return err
			}
		}
		older := slices.SortedFunc(tx.Tokens().ByDevice(t.DeviceID), worthFirst)
		for _, o := range older[min(len(older), tokensPerDevice-1):] {
			if err := tx.Tokens().Delete(o.Hash); err != nil {
				return err
			}
		}
		return tx.Tokens().Put(t)
	})
	if err != nil {
		return "", t, fmt.Errorf("auth: store token: %w", err)
	}
	return value, t, nil
}

// worthFirst puts the tokens of running deployments first, then the newest: who
// signs in again and again does not push a deployment out.
func worthFirst(a, b fleet.Token) int {
	idle := func(t fleet.Token) int {
		if t.Deployment == "" || t.Ended {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(idle(a), idle(b)), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.Hash, b.Hash))
}

// Authenticate finds the token of a bearer value (see ParseBearer). Errors:
// ErrNoToken, ErrExpired, ErrBinding when the token belongs to another key.
func (s *Service) Authenticate(ctx context.Context, bearer string, caller Caller) (fleet.Token, error) {
	if !isBearer(bearer) {
		return fleet.Token{}, ErrNoToken
	}
	var t fleet.Token
	// The lookup is by hash: its timing tells nothing about any value.
	err := s.store.View(func(tx *state.Tx) (err error) {
		t, err = tx.Tokens().Get(hashOf(bearer))
		return err
	})
	if errors.Is(err, state.ErrNotFound) {
		return fleet.Token{}, ErrNoToken
	}
	if err != nil {
		return fleet.Token{}, fmt.Errorf("auth: read token: %w", err)
	}
	if t.KeyBinding != "" && subtle.ConstantTimeCompare([]byte(t.KeyBinding), []byte(caller.Binding)) != 1 {
		s.note(ctx, fleet.AuditEntry{
			Actor: t.Actor, Action: "token.refused", Object: t.ID, Device: t.DeviceID,
			Address: addrText(caller), Outcome: "refused", Reason: "bound to another key",
		})
		return fleet.Token{}, ErrBinding
	}
	if !s.now().Before(t.ExpiresAt) {
		return fleet.Token{}, ErrExpired
	}
	return t, nil
}

// Renew makes a device token good for another deviceTokenLife from now, while its
// own deployment is unfinished and up to deviceTokenBound from its sign-in. A token
// that started nothing yet is not renewed. The value stays the same, so that a lost answer costs nothing. Errors:
// those of Authenticate, and ErrNotAllowed.
func (s *Service) Renew(ctx context.Context, bearer string, caller Caller) (token string, expires time.Time, err error) {
	t, err := s.Authenticate(ctx, bearer, caller)
	if err != nil {
		return "", time.Time{}, err
	}
	if t.Kind != fleet.TokenDevice {
		return "", time.Time{}, ErrNotAllowed
	}
	now := s.now().UTC()
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		t, err = tx.Tokens().Get(t.Hash)
		if errors.Is(err, state.ErrNotFound) {
			return ErrNoToken // revoked meanwhile
		}
		if err != nil {
			return err
		}
		if t.Ended || !running(tx, t) || now.After(t.CreatedAt.Add(deviceTokenBound)) {
			return ErrNotAllowed
		}
		t.ExpiresAt = earlier(now.Add(deviceTokenLife), t.CreatedAt.Add(deviceTokenBound))
		return tx.Tokens().Put(t)
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("auth: renew token: %w", err)
	}
	return bearer, t.ExpiresAt, nil
}

// Delegate makes a second token for the deployment of a device token, bound to another key,
// given as Caller.Binding is: who holds the token goes on with that key where the present
// one cannot be had. It reaches what the first one reaches, and not longer. Errors:
// ErrNoToken, ErrNotAllowed while its deployment is not under way or when the binding is
// none, and those of the state.
func (s *Service) Delegate(ctx context.Context, t fleet.Token, caller Caller, binding string) (token string, expires time.Time, err error) {
	if sum, err := hex.DecodeString(binding); err != nil || len(sum) != sha256.Size || binding != hex.EncodeToString(sum) {
		return "", time.Time{}, ErrNotAllowed
	}
	now := s.now().UTC()
	began := t.CreatedAt
	check := func(tx *state.Tx, _ string) error {
		current, err := tx.Tokens().Get(t.Hash)
		if errors.Is(err, state.ErrNotFound) {
			return ErrNoToken // revoked meanwhile
		}
		if err == nil && (current.Kind != fleet.TokenDevice || current.Ended || !running(tx, current) || now.After(began.Add(deviceTokenBound))) {
			return ErrNotAllowed
		}
		return err
	}
	second := t
	second.KeyBinding = binding
	value, second, err := s.issueSince(ctx, second, began, check)
	if err != nil {
		return "", time.Time{}, err
	}
	s.note(ctx, fleet.AuditEntry{Actor: t.Actor, Action: "token.delegated", Object: second.ID, Device: t.DeviceID, Address: addrText(caller),
		Outcome: "ok", Reason: "the deployment goes on in Windows PE"})
	return value, second.ExpiresAt, nil
}

// running reports whether the token's own deployment is unfinished.
func running(tx *state.Tx, t fleet.Token) bool {
	if t.Deployment == "" {
		return false
	}
	d, err := tx.Deployments().Get(t.Deployment)
	return err == nil && d.DeviceID == t.DeviceID && !d.Status.Final()
}

// Revoke removes a device or API token by its public id. ErrNotFound.
func (s *Service) Revoke(ctx context.Context, actor Actor, id string) error {
	var name string
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		found := false
		for t := range tx.Tokens().ByID(id) {
			found, name = true, t.Name
			if err := tx.Tokens().Delete(t.Hash); err != nil {
				return err
			}
		}
		if !found {
			return ErrNotFound
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("auth: revoke token: %w", err)
	}
	s.done(ctx, actor, "token.revoked", id, name)
	return nil
}

// pruneTokens removes tokens that expired some time ago.
func (s *Service) pruneTokens(ctx context.Context) error {
	limit := s.now().Add(-expiredKept)
	return s.pruneExpired(ctx, func(tx *state.Tx) (old []func() error) {
		for t := range tx.Tokens().All() {
			if t.ExpiresAt.Before(limit) {
				old = append(old, func() error { return tx.Tokens().Delete(t.Hash) })
			}
		}
		return old
	})
}

// pruneExpired deletes what find names. It looks in a View first: a write that
// changes nothing would be one for nothing, and one that reads a whole table
// conflicts easily.
func (s *Service) pruneExpired(ctx context.Context, find func(tx *state.Tx) []func() error) error {
	n := 0
	err := s.store.View(func(tx *state.Tx) error {
		n = len(find(tx))
		return nil
	})
	if err != nil || n == 0 {
		return err
	}
	return s.store.Update(ctx, func(tx *state.Tx) error {
		for _, remove := range find(tx) {
			if err := remove(); err != nil {
				return err
			}
		}
		return nil
	})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
