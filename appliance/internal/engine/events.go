package engine

import (
	"context"
	"errors"
	"fmt"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// maxBatch bounds the events of one report.
const maxBatch = 500

// maxSecrets bounds what is masked beside the secrets of the record, in bytes: without
// it a device could fill the memory. Each value counts more, as it costs time too.
const (
	maxSecrets = 4 << 20
	eachSecret = 1 << 10
)

// Events records what a device reports of its deployment; an empty batch is a
// heartbeat. Numbers count from 1 in each epoch. A number that was kept before
// changes nothing; numbers behind a gap are not taken, and the answer's Kept says
// from where to send again.
//
// Errors: ErrNotFound, ErrStale and ErrDifferent (the device must resume),
// ErrEnded, *FieldError, ErrTooLarge, and those of the state.
func (e *Engine) Events(ctx context.Context, token fleet.Token, id string, batch wire.EventBatch) (wire.EventAnswer, error) {
	if err := checkBatch(batch); err != nil {
		return wire.EventAnswer{}, err
	}
	s, err := e.lock(id)
	if err != nil {
		return wire.EventAnswer{}, err
	}
	defer s.mu.Unlock()
	r := report{e: e, s: s, token: token, id: id, batch: batch}
	if err := r.prepare(); err != nil {
		return wire.EventAnswer{}, err
	}
	if r.before.Status == fleet.DeploymentCancelled {
		return wire.EventAnswer{Kept: max(r.before.Kept, last(batch)), Orders: []string{orderCancel}}, nil
	}
	if len(r.fresh) > 0 || r.obeyed() {
		err := r.commit(ctx)
		r.forget(err)
		if err != nil {
			return wire.EventAnswer{}, err
		}
	} else {
		r.after = r.before
	}
	e.heard(s, r.progress())
	return r.answer(), nil
}

func checkBatch(batch wire.EventBatch) error {
	if len(batch.Events) > maxBatch {
		return fmt.Errorf("%w: %d events in one report; send %d at most", ErrTooLarge, len(batch.Events), maxBatch)
	}
	for i, event := range batch.Events {
		if event.Number < 1 || (i > 0 && event.Number != batch.Events[i-1].Number+1) {
			return &FieldError{Field: fmt.Sprintf("events[%d].number", i), Detail: "numbers count up by one, from 1"}
		}
	}
	return nil
}

func last(batch wire.EventBatch) int64 {
	if len(batch.Events) == 0 {
		return 0
	}
	return batch.Events[len(batch.Events)-1].Number
}

// report is one call of Events.
type report struct {
	e     *Engine
	s     *session
	token fleet.Token
	id    string
	batch wire.EventBatch

	before, after fleet.Deployment
	fresh         []wire.Event // not kept before
	masker        *tasksequence.Masker
	plan          map[string]planEntry
}

// prepare reads the record, refuses what is stale and finds what is new. s.mu is
// held, so that nobody else reports of this deployment meanwhile.
func (r *report) prepare() error {
	err := r.e.opts.Store.View(func(tx *state.Tx) (err error) {
		r.before, err = ownDeployment(tx, r.token, r.id)
		return err
	})
	if err != nil {
		return err
	}
	if r.before.Status == fleet.DeploymentCancelled {
		return nil
	}
	if r.batch.Epoch != r.before.Epoch {
		return fmt.Errorf("%w (epoch %d was sent, %d is the present one)", ErrStale, r.batch.Epoch, r.before.Epoch)
	}
	if err := r.e.openHistory(r.s, r.before); err != nil {
		return err
	}
	for _, event := range r.batch.Events {
		switch {
		case event.Number <= r.before.Kept:
			if !r.s.history.same(event) {
				return fmt.Errorf("event %d: %w", event.Number, ErrDifferent)
			}
		case event.Number == r.before.Kept+int64(len(r.fresh))+1:
			r.fresh = append(r.fresh, event)
		}
	}
	if len(r.fresh) > 0 && r.before.Status.Final() {
		return fmt.Errorf("%w: %s", ErrEnded, r.before.Status)
	}
	var secrets []string
	for _, event := range r.fresh {
		secrets = append(secrets, secretsIn(event.Variables)...)
	}
	r.masker = r.s.masker
	if len(secrets) > 0 {
		r.masker = r.s.masker.With(secrets)
	}
	for _, secret := range secrets {
		r.s.secrets += eachSecret + len(secret)
	}
	r.s.masker = r.masker // at once: should the outcome be unknown, masking too much is right
	r.plan, err = r.e.paths(r.s, r.before)
	return err
}

// obeyed reports whether the device goes on after an order to continue reached it.
func (r *report) obeyed() bool {
	return r.before.Order == orderContinue && r.s.delivered == orderContinue
}

// commit records the new events in one transaction, then tells history, audit and
// watchers.
func (r *report) commit(ctx context.Context) error {
	err := r.e.opts.Store.Update(ctx, func(tx *state.Tx) error {
		d, err := ownDeployment(tx, r.token, r.id)
		if err != nil {
			return err
		}
		if d.Epoch != r.before.Epoch || d.Kept != r.before.Kept || d.Status.Final() {
			return fmt.Errorf("%w: the record changed meanwhile", ErrStale)
		}
		if r.obeyed() && d.Order == orderContinue {
			d.Order = ""
		}
		for _, event := range r.fresh {
			if err := r.apply(tx, &d, event); err != nil {
				return err
			}
		}
		d.UpdatedAt = r.e.opts.Now()
		r.after = d
		return tx.Deployments().Put(d)
	})
	if err != nil {
		return err
	}
	r.e.appendHistory(ctx, r.s, r.before.Epoch, r.fresh, r.masker)
	if r.after.Status.Final() {
		r.e.ended(ctx, r.s, r.after, Actor{Name: r.after.Actor, Address: r.token.Address})
	}
	return nil
}

// progress returns the reported progress in a harmless form.
func (r *report) progress() *fleet.Progress {
	p := r.batch.Progress
	if p == nil || r.after.Status.Final() {
		return nil
	}
	if _, known := r.plan[p.Path]; !known {
		return nil
	}
	return &fleet.Progress{DeploymentID: r.id, Path: p.Path, Percent: max(-1, min(100, p.Percent)),
		Text: clean(r.masker.Mask(p.Text), maxShort), At: r.e.opts.Now()}
}

func (r *report) answer() wire.EventAnswer {
	answer := wire.EventAnswer{Kept: r.after.Kept}
	if r.after.Order != "" && !r.after.Status.Final() {
		answer.Orders = []string{r.after.Order}
	}
	r.s.delivered = r.after.Order
	return answer
}

// forget drops the secrets that are not in the record, once there are many: those of
// refused reports, and values that were replaced. The first ones may still be in a log.
func (r *report) forget(err error) {
	if r.s.secrets <= maxSecrets || errors.Is(err, state.ErrUnknown) {
		return
	}
	kept := r.after
	if err != nil {
		kept = r.before
	}
	r.s.masker, r.s.secrets = r.e.maskerFor(kept), 0
}

// ended is done once a deployment has come to its end, by whatever way.
func (e *Engine) ended(ctx context.Context, s *session, d fleet.Deployment, actor Actor) {
	e.mu.Lock()
	delete(e.waiting, d.ID)
	e.mu.Unlock()
	s.forgetProgress()
	if s.log != nil {
		if err := s.log.sync(); err != nil {
			e.opts.Logger.WarnContext(ctx, "deployment log was not synced", "deployment", d.ID, "error", err)
		}
	}
	e.audit(ctx, d, actor, string(d.Status))
	e.opts.Logger.InfoContext(ctx, "deployment ended", "deployment", d.ID, "device", d.DeviceID, "status", d.Status, "message", d.Message)
}
