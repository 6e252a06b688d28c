package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// lastWords is how long the token of a deployment that has ended is good for: its
// device sends the rest of its events and log lines.
const lastWords = 2 * time.Minute

// allows reports whether a token's scope holds a task sequence. The scope came from
// the passcode that was typed; no sequences are no limit.
func allows(token fleet.Token, sequence string) bool {
	return len(token.Scope.Sequences) == 0 || slices.Contains(token.Scope.Sequences, sequence)
}

// reaches reports whether a device's token reaches a deployment: one of its own
// device and within its scope, and once it is bound to a deployment, only that one.
func reaches(token fleet.Token, d fleet.Deployment) bool {
	return token.Kind == fleet.TokenDevice && token.DeviceID != "" && token.DeviceID == d.DeviceID &&
		(token.Deployment == "" || token.Deployment == d.ID) && allows(token, d.SequenceID)
}

// ownDeployment reads a deployment on behalf of a device, which does not learn
// whether others than its own exist.
func ownDeployment(tx *state.Tx, token fleet.Token, id string) (fleet.Deployment, error) {
	d, err := tx.Deployments().Get(id)
	if err != nil {
		return fleet.Deployment{}, notFound(err)
	}
	if !reaches(token, d) {
		return fleet.Deployment{}, fmt.Errorf("deployment %q: %w", id, ErrNotFound)
	}
	return d, nil
}

// currentToken reads the token as it stands within a transaction: it may have been
// revoked, or bound by another call, since the request was let in.
func currentToken(tx *state.Tx, token fleet.Token) (fleet.Token, error) {
	t, err := tx.Tokens().Get(token.Hash)
	if errors.Is(err, state.ErrNotFound) || err == nil && t.Ended {
		return fleet.Token{}, ErrSignedOut
	}
	return t, err
}

// bind makes a token one of an unfinished deployment's: from now on it reaches only
// that, and ends with it.
func bind(tx *state.Tx, token fleet.Token, d fleet.Deployment) error {
	switch {
	case token.Deployment == d.ID || token.Deployment == "" && d.Status.Final():
		return nil
	case token.Deployment != "":
		return fmt.Errorf("%w: it belongs to another deployment", ErrForbidden)
	}
	token.Deployment = d.ID
	return tx.Tokens().Put(token)
}

// endTokens leaves the tokens of a deployment that ends only what its last reports
// need, and not for long.
func endTokens(tx *state.Tx, deployment string, now time.Time) error {
	for t := range tx.Tokens().ByDeployment(deployment) {
		if t.Ended {
			continue
		}
		t.Ended = true
		if end := now.Add(lastWords); end.Before(t.ExpiresAt) {
			t.ExpiresAt = end
		}
		if err := tx.Tokens().Put(t); err != nil {
			return err
		}
	}
	return nil
}
