package engine

import (
	"cmp"
	"context"
	"fmt"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Resume begins a new epoch of an unfinished deployment: the agent was started
// anew, or lost track. The answer holds all it needs to go on. An ended deployment
// is answered as it ended, without a new epoch. The token is bound to an unfinished
// one. Errors: ErrNotFound, ErrForbidden when the token belongs to another
// deployment, ErrSignedOut, and those of the state.
//
// The environment is where the agent runs now, as far as it says; it decides what the
// device boots after a power loss.
func (e *Engine) Resume(ctx context.Context, token fleet.Token, id, environment string) (wire.Deployment, error) {
	s, err := e.lock(id)
	if err != nil {
		return wire.Deployment{}, err
	}
	defer s.mu.Unlock()
	var d fleet.Deployment
	err = e.opts.Store.Update(ctx, func(tx *state.Tx) error {
		if d, err = ownDeployment(tx, token, id); err != nil || d.Status.Final() {
			return err
		}
		current, err := currentToken(tx, token)
		if err != nil {
			return err
		}
		if err := bind(tx, current, d); err != nil {
			return err
		}
		d.Epoch++
		d.Kept = 0
		d.WaitsFor, d.Staged = "", ""
		d.Environment = cmp.Or(clean(environment, maxShort), d.Environment)
		d.Address = token.Address
		d.UpdatedAt = e.opts.Now()
		if device, err := tx.Devices().Get(d.DeviceID); err == nil {
			d.ImageID = device.ImageID
		}
		return tx.Deployments().Put(d)
	})
	if err != nil {
		return wire.Deployment{}, err
	}
	if err := s.close(); err != nil { // the numbers of the new epoch begin at 1
		e.opts.Logger.WarnContext(ctx, "closing a deployment's files", "deployment", id, "error", err)
	}
	s.delivered = ""
	s.forgetProgress()
	e.heard(s, nil)
	e.opts.Logger.InfoContext(ctx, "deployment resumed", "deployment", id, "epoch", d.Epoch, "status", d.Status)
	return e.answer(d, true)
}

// answer builds what the wire carries of a deployment. Only the device itself gets
// secrets.
func (e *Engine) answer(d fleet.Deployment, reveal bool) (wire.Deployment, error) {
	variables, err := e.plainVariables(d, reveal)
	if err != nil {
		return wire.Deployment{}, err
	}
	document, err := e.document(d.Document)
	if err == nil && reveal {
		document, err = e.vault.document(document, e.vault.open)
	} else if err == nil {
		document, err = e.vault.document(document, e.vault.mask)
	}
	if err != nil {
		return wire.Deployment{}, fmt.Errorf("the pinned document: %w", err)
	}
	results, err := e.Results(d.ID)
	if err != nil {
		return wire.Deployment{}, err
	}
	out := wire.Deployment{ID: d.ID, Status: string(d.Status), Epoch: d.Epoch, Kept: d.Kept, Document: document,
		Variables: variables, WaitsFor: string(d.WaitsFor), Environment: d.Environment, Name: d.SequenceName, StepCount: d.StepCount, Message: d.Message}
	for _, r := range results {
		out.Results = append(out.Results, wire.Result{Path: r.Path, Status: r.Status, ExitCode: r.ExitCode,
			Message: r.Message, Started: r.StartedAt, Ended: r.EndedAt})
	}
	return out, nil
}
