package engine

import (
	"cmp"
	"fmt"
	"slices"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Get answers a device with its own deployment, secrets included, or an API token
// with any deployment, secrets masked.
func (e *Engine) Get(token fleet.Token, id string) (wire.Deployment, error) {
	d, err := e.deployment(id)
	if err != nil {
		return wire.Deployment{}, err
	}
	if token.Kind == fleet.TokenAPI && token.Role.Includes(fleet.RoleViewer) {
		return e.answer(d, false)
	}
	if !reaches(token, d) {
		return wire.Deployment{}, fmt.Errorf("deployment %q: %w", id, ErrNotFound)
	}
	return e.answer(d, true)
}

// Current returns the unfinished deployment of a token's device, false when there is
// none that the token reaches.
func (e *Engine) Current(token fleet.Token) (found fleet.Deployment, ok bool, err error) {
	err = e.opts.Store.View(func(tx *state.Tx) error {
		for d := range tx.Deployments().ByDevice(token.DeviceID) {
			if !d.Status.Final() && reaches(token, d) {
				found, ok = withoutSecrets(d), true
			}
		}
		return nil
	})
	return found, ok, err
}

// Deployment returns the record, for people: without sealed values.
func (e *Engine) Deployment(id string) (fleet.Deployment, error) {
	d, err := e.deployment(id)
	return withoutSecrets(d), err
}

// List returns all deployments, newest first, without their variables.
func (e *Engine) List() (all []fleet.Deployment, err error) {
	err = e.opts.Store.View(func(tx *state.Tx) error {
		for d := range tx.Deployments().All() {
			d.Variables = nil
			all = append(all, d)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b fleet.Deployment) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// Results returns the recorded results of a deployment in the order of the steps.
func (e *Engine) Results(id string) (results []fleet.StepResult, err error) {
	err = e.opts.Store.View(func(tx *state.Tx) error {
		for r := range tx.Results().ByDeployment(id) {
			results = append(results, r)
		}
		return nil
	})
	slices.SortStableFunc(results, func(a, b fleet.StepResult) int { return cmp.Compare(a.Number, b.Number) })
	return results, err
}

// Document returns the pinned tasksequence.Document as JSON, for people: with its
// secrets masked.
func (e *Engine) Document(id string) ([]byte, error) {
	d, err := e.deployment(id)
	if err != nil {
		return nil, err
	}
	body, err := e.document(d.Document)
	if err != nil {
		return nil, err
	}
	return e.vault.document(body, e.vault.mask)
}

// withoutSecrets leaves sealed values out; that a variable is secret stays to be seen.
func withoutSecrets(d fleet.Deployment) fleet.Deployment {
	for i := range d.Variables {
		if d.Variables[i].Sealed != nil {
			d.Variables[i].Sealed = []byte{}
		}
	}
	return d
}
