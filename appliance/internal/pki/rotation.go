package pki

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Errors of a rotation that a caller can tell apart with errors.Is.
var (
	ErrNotRetired  = errors.New("the old authority of the last rotation is still in the set; take it out first: slipway ca retire")
	ErrNoRotation  = errors.New("no rotation is under way; start one: slipway ca rotate")
	ErrNothingOld  = errors.New("there is no old authority to retire")
	ErrStillSigned = errors.New("the new authority does not sign yet; the old one cannot be retired before the changeover: slipway ca status")
)

// BlockedError says what a changeover or a retirement would break.
type BlockedError struct{ Reasons []string }

// Error names every reason.
func (e *BlockedError) Error() string {
	return "this would lock devices out (--force does it regardless): " + strings.Join(e.Reasons, "; ")
}

// Auditor is the audit log.
type Auditor interface {
	Write(context.Context, fleet.AuditEntry) error
	Recent(f audit.Filter, before int64, n int) ([]fleet.AuditEntry, error)
}

// Actor is who asks, for the audit log.
type Actor struct{ Name, Address string }

// RotationOptions are what a rotation is made of; Authority and Audit must be set.
type RotationOptions struct {
	Authority *Authority
	Audit     Auditor
	Logger    *slog.Logger  // slog.Default()
	Every     time.Duration // how often Run looks by itself; 1 min
}

// Rotation replaces the CA of the installation, one at a time. It is safe for
// concurrent use.
type Rotation struct {
	o RotationOptions
	a *Authority
}

// NewRotation returns the rotation of an authority.
func NewRotation(o RotationOptions) *Rotation {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	return &Rotation{o: o, a: o.Authority}
}

// Rotate makes a second CA, pending behind the one that signs. It reports whether
// it did: when a CA is pending already that one stays, and the caller may start
// the missing builds again. ErrNotRetired while the last rotation is unfinished.
func (r *Rotation) Rotate(ctx context.Context, by Actor) (begun bool, err error) {
	fresh, err := newAuthority(r.a.id, r.a.sealer, r.a.now())
	if err != nil {
		return false, err
	}
	err = r.a.store.Update(ctx, func(tx *state.Tx) error {
		i, err := tx.Installation().Get(installationKey)
		if err != nil {
			return err
		}
		begun = false
		if pending(i) > 0 {
			return nil
		}
		if len(i.Authorities) > 1 {
			return ErrNotRetired
		}
		if last := i.Authorities[0].CreatedAt; !fresh.CreatedAt.After(last) {
			fresh.CreatedAt = last.Add(time.Second) // the clock was set back
		}
		i.Authorities = append(i.Authorities, fresh)
		begun = true
		return tx.Installation().Put(i)
	})
	if err != nil || !begun {
		return false, wrap("begin a rotation", err)
	}
	r.audit(ctx, by, "ca.rotated", fingerprint(fresh.Certificate), "a new authority goes into every boot image built from now on")
	return true, r.a.reload()
}

// ChangeOver makes the pending CA sign. Without force it returns a BlockedError
// while a served image lacks it, or a deployment is under way on one that does;
// ErrNoRotation when none is pending.
func (r *Rotation) ChangeOver(ctx context.Context, by Actor, force bool) error {
	var old, now []byte
	var blocked []string
	err := r.a.store.Update(ctx, func(tx *state.Tx) error {
		i, err := tx.Installation().Get(installationKey)
		if err != nil {
			return err
		}
		n := pending(i)
		if n == 0 {
			return ErrNoRotation
		}
		next := i.Authorities[n]
		if _, err := openAuthority(i.ID, next, r.a.sealer); err != nil {
			return err // the listener could not sign with it
		}
		if blocked = lacking(tx, next.Certificate).blockers(r.a.now()); len(blocked) > 0 && !force {
			return &BlockedError{blocked}
		}
		old, now = i.Authorities[0].Certificate, next.Certificate
		i.Authorities = slices.Insert(slices.Delete(i.Authorities, n, n+1), 0, next)
		return tx.Installation().Put(i)
	})
	if err != nil {
		return wrap("change over", err)
	}
	err = r.a.reload() // before the entry, which waits for the disk
	r.audit(ctx, by, "ca.changed-over", fingerprint(now), reason(blocked, "signs in place of "+short(fingerprint(old))))
	return err
}

// Retire takes the old CA out of the set and forgets its key. ErrNothingOld,
// ErrStillSigned, or without force a BlockedError while a served image lacks the CA
// that signs.
func (r *Rotation) Retire(ctx context.Context, by Actor, force bool) error {
	var gone, blocked []string
	err := r.a.store.Update(ctx, func(tx *state.Tx) error {
		i, err := tx.Installation().Get(installationKey)
		switch {
		case err != nil:
			return err
		case pending(i) > 0:
			return ErrStillSigned
		case len(i.Authorities) < 2:
			return ErrNothingOld
		}
		if blocked = lacking(tx, i.Authorities[0].Certificate).blockers(r.a.now()); len(blocked) > 0 && !force {
			return &BlockedError{blocked}
		}
		gone = nil
		for _, old := range i.Authorities[1:] {
			gone = append(gone, fingerprint(old.Certificate))
		}
		i.Authorities = i.Authorities[:1]
		return tx.Installation().Put(i)
	})
	if err != nil {
		return wrap("retire the old authority", err)
	}
	for _, f := range gone {
		r.audit(ctx, by, "ca.retired", f, reason(blocked, "boot images built from now on no longer trust it"))
	}
	return r.a.reload()
}

// pending is the place of the CA that waits to sign; 0 when there is none.
func pending(i fleet.Installation) int {
	for n, a := range i.Authorities {
		if n > 0 && a.CreatedAt.After(i.Authorities[0].CreatedAt) && !bytes.Equal(a.Certificate, i.Authorities[0].Certificate) {
			return n
		}
	}
	return 0
}

func wrap(what string, err error) error {
	var blocked *BlockedError
	if err == nil || errors.As(err, &blocked) || errors.Is(err, ErrNotRetired) || errors.Is(err, ErrNoRotation) ||
		errors.Is(err, ErrNothingOld) || errors.Is(err, ErrStillSigned) {
		return err
	}
	return fmt.Errorf("pki: %s: %w", what, err)
}

func reason(blocked []string, text string) string {
	if len(blocked) > 0 {
		text += "; forced although " + strings.Join(blocked, "; ")
	}
	return text
}

// short is enough of a fingerprint or image id to tell one from another.
func short(s string) string { return s[:min(16, len(s))] }

func (r *Rotation) audit(ctx context.Context, by Actor, action, object, reason string) {
	e := fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: action, Object: object, Outcome: "ok", Reason: reason}
	if err := r.o.Audit.Write(context.WithoutCancel(ctx), e); err != nil {
		r.o.Logger.WarnContext(ctx, "audit entry was not written", "action", action, "error", err)
	}
	r.o.Logger.InfoContext(ctx, "certificate authority: "+reason, "action", action, "authority", short(object), "actor", by.Name)
}
