package console

import (
	"context"
	"net/netip"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/fleet"
	"slipway/ui"
)

type sessions struct{ auth *auth.Service }

func (s sessions) NeedsSetup(ctx context.Context) (bool, error) { return s.auth.NeedsSetup(ctx) }

func (s sessions) Setup(ctx context.Context, from netip.Addr, code, name, password string) error {
	return translate(s.auth.Setup(ctx, code, name, password, auth.Caller{Addr: from}))
}

func (s sessions) SignIn(ctx context.Context, from netip.Addr, name, password string) (string, fleet.Session, error) {
	cookie, sess, err := s.auth.SignIn(ctx, name, password, auth.Caller{Addr: from})
	return cookie, sess, translate(err)
}

func (s sessions) SignOut(ctx context.Context, cookie string) error {
	return translate(s.auth.SignOut(ctx, cookie))
}

func (s sessions) Session(ctx context.Context, cookie string) (fleet.Account, fleet.Session, error) {
	account, sess, err := s.auth.Session(ctx, cookie)
	return account, sess, translate(err)
}

type security struct{ auth *auth.Service }

func (s security) Mechanisms(ctx context.Context) ([]fleet.Mechanism, error) {
	p, err := s.auth.PasscodeStatus(ctx)
	if err != nil || !p.Set {
		return nil, translate(err)
	}
	return []fleet.Mechanism{fleet.MechanismPasscode}, nil
}

func (s security) Passcode(ctx context.Context) (fleet.PasscodeStatus, error) {
	p, err := s.auth.PasscodeStatus(ctx)
	return p, translate(err)
}

func (s security) SetPasscode(ctx context.Context, by ui.Actor, value string, force bool) error {
	return translate(s.auth.SetPasscode(ctx, authActor(by), value, force))
}

func (s security) ClearPasscode(ctx context.Context, by ui.Actor) error {
	return translate(s.auth.ClearPasscode(ctx, authActor(by)))
}

func (s security) Held(ctx context.Context) ([]fleet.Held, error) {
	list, err := s.auth.Held(ctx)
	return list, translate(err)
}

func (s security) Release(ctx context.Context, by ui.Actor, code string) error {
	return translate(s.auth.Release(ctx, authActor(by), code))
}

type auditLog struct{ log *audit.Log }

func (a auditLog) Recent(_ context.Context, q ui.AuditQuery) ([]fleet.AuditEntry, error) {
	f := audit.Filter{Text: q.Text, Actor: q.Actor, Action: q.Action, Device: q.Device, Outcome: q.Outcome}
	list, err := a.log.Recent(f, q.Before, q.Limit)
	return list, translate(err)
}
