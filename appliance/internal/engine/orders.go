package engine

import (
	"context"
	"fmt"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Order tells a deployment to cancel, pause or continue. The device hears it with
// its next call. Cancelling a deployment whose device is silent or restarting takes
// effect on the record at once, and the device hears of it when it comes back.
//
// Errors: ErrNotFound, ErrEnded, *FieldError for a word that is no order or has no
// sense now, and those of the state.
func (e *Engine) Order(ctx context.Context, actor Actor, id, order string) error {
	s, err := e.lock(id)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	silent := e.silent(id)
	var d fleet.Deployment
	err = e.opts.Store.Update(ctx, func(tx *state.Tx) error {
		if d, err = tx.Deployments().Get(id); err != nil {
			return notFound(err)
		}
		if d.Status.Final() {
			return fmt.Errorf("%w: %s", ErrEnded, d.Status)
		}
		if err := give(tx, &d, order, silent, e.opts.Now()); err != nil {
			return err
		}
		return tx.Deployments().Put(d)
	})
	if err != nil {
		return err
	}
	e.audit(ctx, d, actor, "order."+order)
	if d.Status.Final() {
		e.ended(ctx, s, d, actor)
	} else if order == orderCancel {
		e.mu.Lock()
		e.waiting[id] = true
		e.mu.Unlock()
	}
	return nil
}

// give changes the record according to an order.
func give(tx *state.Tx, d *fleet.Deployment, order string, silent bool, now time.Time) error {
	switch {
	case order == orderCancel && (silent || d.WaitsFor != ""):
		return finish(tx, d, fleet.DeploymentCancelled, messageCancelled, now)
	case order == orderCancel:
		d.Order = orderCancel
	case d.Order == orderCancel:
		return &FieldError{Field: "order", Detail: "the deployment is being cancelled"}
	case order == orderPause:
		d.Order, d.Status = orderPause, fleet.DeploymentPaused
	case order == orderContinue && d.Status != fleet.DeploymentPaused:
		return &FieldError{Field: "order", Detail: "the deployment is not paused"}
	case order == orderContinue:
		d.Order, d.Status = orderContinue, fleet.DeploymentRunning
	default:
		return &FieldError{Field: "order", Detail: fmt.Sprintf("%q is not an order; use cancel, pause or continue", clean(order, maxShort))}
	}
	d.UpdatedAt = now
	return nil
}

const messageCancelled = "Cancelled before the device answered."

// settleCancel ends a deployment whose device went silent before it obeyed.
func (e *Engine) settleCancel(ctx context.Context, id string) error {
	s, err := e.lock(id)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	var d fleet.Deployment
	done := false
	err = e.opts.Store.Update(ctx, func(tx *state.Tx) error {
		done = false
		if d, err = tx.Deployments().Get(id); err != nil || d.Status.Final() || d.Order != orderCancel {
			return notFound(err)
		}
		done = true
		if err := finish(tx, &d, fleet.DeploymentCancelled, messageCancelled, e.opts.Now()); err != nil {
			return err
		}
		return tx.Deployments().Put(d)
	})
	if err != nil {
		return err
	}
	if done {
		e.ended(ctx, s, d, Actor{Name: "appliance"})
		return nil
	}
	e.mu.Lock()
	delete(e.waiting, id)
	e.mu.Unlock()
	return nil
}
