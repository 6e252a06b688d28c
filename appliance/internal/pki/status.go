package pki

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Status says how the rotation stands: the authorities, what does not trust the
// newest of them, what holds the changeover up, and what comes next. The listener
// follows the record; what is said here it does already.
func (r *Rotation) Status(context.Context) (out fleet.AuthorityStatus, err error) {
	err = r.a.store.View(func(tx *state.Tx) error {
		i, err := tx.Installation().Get(installationKey)
		if err != nil {
			return err
		}
		if out.Authorities, err = info(i); err != nil {
			return err
		}
		newest := pending(i)
		l := lacking(tx, i.Authorities[newest].Certificate)
		out.Images, out.Devices, out.Media, out.Blocked = l.images, l.devices, l.media, nil
		if len(i.Authorities) > 1 {
			out.Blocked = l.blockers(r.a.now())
		}
		out.Next = next(len(i.Authorities) > 1, newest > 0, len(out.Blocked) > 0)
		return nil
	})
	out.Images, out.Devices, out.Media, out.Blocked = list(out.Images), list(out.Devices), list(out.Media), list(out.Blocked)
	if err == nil {
		err = r.a.reload()
	}
	return out, err
}

// list makes an empty list [] and not null in JSON.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func next(two, waiting, blocked bool) string {
	switch {
	case !two:
		return "No rotation is under way."
	case waiting && blocked:
		return "The new authority signs by itself as soon as nothing holds it up any more. Media and installed agents that know the old one alone stop working then: renew them before."
	case waiting:
		return "Nothing holds the new authority up: it signs within a minute."
	case blocked:
		return "The new authority signs. Build the images that lack it, then take the old one out of the set: slipway ca retire"
	default:
		return "The new authority signs. Renew media and installed agents that know the old one alone, then take it out of the set: slipway ca retire"
	}
}

// local is the appliance itself as the one who acts.
var local = Actor{Name: "appliance"}

// Run follows the record and changes over as soon as nothing holds it up, until
// ctx ends.
func (r *Rotation) Run(ctx context.Context) error {
	changes := r.a.store.Subscribe(ctx, "images", "installation")
	tick := time.NewTicker(r.o.Every) // deployments end and grow old
	defer tick.Stop()
	if err := r.catchUp(ctx); err != nil {
		r.o.Logger.WarnContext(ctx, "the audit log could not be compared with the certificate authorities", "error", err)
	}
	for {
		if err := r.advance(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.WarnContext(ctx, "the rotation of the certificate authority does not go on", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case _, open := <-changes:
			if !open {
				changes = nil // the store is closing, and ctx ends soon
			}
		}
	}
}

// advance does what is due now.
func (r *Rotation) advance(ctx context.Context) error {
	if err := r.a.reload(); err != nil {
		return err
	}
	due := false
	err := r.a.store.View(func(tx *state.Tx) error {
		i, err := tx.Installation().Get(installationKey)
		if err != nil {
			return err
		}
		n := pending(i)
		due = n > 0 && len(lacking(tx, i.Authorities[n].Certificate).blockers(r.a.now())) == 0
		return nil
	})
	if err != nil || !due {
		return wrap("look at the images", err)
	}
	err = r.ChangeOver(ctx, local, false)
	var blocked *BlockedError
	if errors.As(err, &blocked) || errors.Is(err, ErrNoRotation) {
		return nil // somebody was faster
	}
	if err != nil {
		return fmt.Errorf("changeover: %w", err)
	}
	return nil
}
