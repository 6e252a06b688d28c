package pki

import (
	"context"

	"slipway/appliance/internal/audit"
	"slipway/fleet"
)

// afterCrash is the reason of an entry that was written late.
const afterCrash = "found at the start: the appliance ended before it could record who did this, and when"

// catchUp writes the audit entries of changes that were made durable just before a
// crash, and that the log therefore lacks.
func (r *Rotation) catchUp(ctx context.Context) error {
	i, err := load(r.a.store)
	if err != nil || len(i.Authorities) == 0 {
		return err
	}
	told, err := r.o.Audit.Recent(audit.Filter{Action: "ca."}, 0, 1000)
	if err != nil {
		return err
	}
	if n := pending(i); n > 0 {
		if next := fingerprint(i.Authorities[n].Certificate); recorded(told, "ca.rotated", next) == 0 {
			r.audit(ctx, local, "ca.rotated", next, afterCrash)
		}
		return nil
	}
	signing := fingerprint(i.Authorities[0].Certificate)
	begun, changed := recorded(told, "ca.rotated", signing), recorded(told, "ca.changed-over", signing)
	if changed == 0 && (begun > 0 || len(i.Authorities) > 1) {
		r.audit(ctx, local, "ca.changed-over", signing, afterCrash)
	}
	last := max(begun, changed)
	if len(i.Authorities) == 1 && last > 0 && recorded(told, "ca.retired", "") < last {
		r.audit(ctx, local, "ca.retired", "", afterCrash)
	}
	return nil
}

// recorded is the number of the newest entry about that authority (any, when it is
// empty); 0 when there is none.
func recorded(newestFirst []fleet.AuditEntry, action, authority string) int64 {
	for _, e := range newestFirst {
		if e.Action == action && (authority == "" || e.Object == authority) {
			return e.Number
		}
	}
	return 0
}
