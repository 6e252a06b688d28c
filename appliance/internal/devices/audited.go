package devices

import (
	"cmp"
	"context"
	"log/slog"

	"slipway/fleet"
)

// Actor is who changes something, for the audit log. Rights were checked before.
type Actor struct {
	Name    string // account, API token, or "local" for the socket
	Address string // empty for the local socket
}

// Auditor is the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Admin is the service for people: every change names who makes it and is
// audited, accepted or not. Reading is the service's own.
type Admin struct {
	*Service
	audit Auditor
}

// NewAdmin wraps a service.
func NewAdmin(s *Service, audit Auditor) *Admin { return &Admin{Service: s, audit: audit} }

// Rename is Service.Rename, audited.
func (a *Admin) Rename(ctx context.Context, by Actor, key, name string) error {
	return a.note(ctx, by, "device.renamed", key, name, a.Service.Rename(ctx, key, name))
}

// Assign is Service.Assign, audited.
func (a *Admin) Assign(ctx context.Context, by Actor, key, sequence string) error {
	return a.note(ctx, by, "device.assigned", key, sequence, a.Service.Assign(ctx, key, sequence))
}

// SetBoot is Service.SetBoot, audited.
func (a *Admin) SetBoot(ctx context.Context, by Actor, key string, target fleet.BootTarget, once bool) error {
	what := string(target) + " always"
	if once {
		what = string(target) + " once"
	}
	return a.note(ctx, by, "device.boot", key, what, a.Service.SetBoot(ctx, key, target, once))
}

// SetWay is Service.SetWay, audited.
func (a *Admin) SetWay(ctx context.Context, by Actor, key string, way fleet.BootWay) error {
	return a.note(ctx, by, "device.way", key, cmp.Or(string(way), "default"), a.Service.SetWay(ctx, key, way))
}

// SetVariables is Service.SetVariables, audited: the names, never the values.
func (a *Admin) SetVariables(ctx context.Context, by Actor, key string, list []Variable) error {
	return a.note(ctx, by, "device.variables", key, cmp.Or(variableNames(list), "none"), a.Service.SetVariables(ctx, key, list))
}

// Merge is Service.Merge, audited.
func (a *Admin) Merge(ctx context.Context, by Actor, keep, drop string) error {
	return a.note(ctx, by, "device.merged", keep, drop, a.Service.Merge(ctx, keep, drop))
}

// note writes the audit entry of a change and hands its error on. A change that
// stands is not taken back because its entry could not be written; the audit log
// tells of lost entries itself.
func (a *Admin) note(ctx context.Context, by Actor, action, key, object string, err error) error {
	e := fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: action, Object: object, Device: key, Outcome: "ok"}
	if d, lookupErr := a.Get(ctx, key); lookupErr == nil {
		e.Device = d.ID
	}
	if err != nil {
		e.Outcome, e.Reason = "error", err.Error()
	}
	if auditErr := a.audit.Write(ctx, e); auditErr != nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "audit entry was not written", slog.String("action", action), slog.Any("error", auditErr))
	}
	return err
}
