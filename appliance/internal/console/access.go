package console

import (
	"context"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"time"

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

// Provider implements ui.Sessions.
func (s sessions) Provider(ctx context.Context) (ui.Provider, error) {
	name, err := s.auth.ConsoleProvider(ctx)
	if err != nil {
		return ui.Provider{}, translate(err)
	}
	settings, err := s.auth.SignInSettings(ctx)
	return ui.Provider{Name: name, LocalOff: settings.Console.LocalOff}, translate(err)
}

// BeginProvider implements ui.Sessions.
func (s sessions) BeginProvider(ctx context.Context, from netip.Addr, origin string) (redirect, cookie string, err error) {
	redirect, cookie, err = s.auth.BeginConsole(ctx, origin, auth.Caller{Addr: from})
	return redirect, cookie, translate(err)
}

// FinishProvider implements ui.Sessions.
func (s sessions) FinishProvider(ctx context.Context, from netip.Addr, answer url.Values, cookie string) (string, fleet.Session, error) {
	session, sess, err := s.auth.FinishConsole(ctx, answer, cookie, auth.Caller{Addr: from})
	return session, sess, translate(err)
}

type accounts struct{ auth *auth.Service }

func (a accounts) List(ctx context.Context) ([]fleet.Account, error) {
	list, err := a.auth.ListAccounts(ctx)
	return list, translate(err)
}

func (a accounts) Add(ctx context.Context, by ui.Actor, name, password string, role fleet.Role) error {
	return translate(a.auth.AddAccount(ctx, authActor(by), name, password, role))
}

func (a accounts) SetRole(ctx context.Context, by ui.Actor, name string, role fleet.Role) error {
	return translate(a.auth.SetRole(ctx, authActor(by), name, role))
}

func (a accounts) SetPassword(ctx context.Context, by ui.Actor, name, password string) error {
	return translate(a.auth.SetPassword(ctx, authActor(by), name, password))
}

func (a accounts) SetBreakGlass(ctx context.Context, by ui.Actor, name string, on bool) error {
	return translate(a.auth.SetBreakGlass(ctx, authActor(by), name, on))
}

func (a accounts) Remove(ctx context.Context, by ui.Actor, name string) error {
	return translate(a.auth.RemoveAccount(ctx, authActor(by), name))
}

type tokens struct{ auth *auth.Service }

func (t tokens) Scripts(ctx context.Context) ([]fleet.Token, error) {
	list, err := t.auth.ListTokens(ctx)
	return list, translate(err)
}

func (t tokens) Devices(ctx context.Context) ([]fleet.Token, error) {
	list, err := t.auth.ListDeviceTokens(ctx)
	return list, translate(err)
}

func (t tokens) Add(ctx context.Context, by ui.Actor, name string, role fleet.Role, life time.Duration) (string, fleet.Token, error) {
	value, token, err := t.auth.AddToken(ctx, authActor(by), name, role, life)
	return value, token, translate(err)
}

// RevokeScript implements ui.Tokens. The token of a device is not touched: that
// is for technicians, and by another way.
func (t tokens) RevokeScript(ctx context.Context, by ui.Actor, id string) error {
	list, err := t.auth.ListTokens(ctx)
	if err != nil {
		return translate(err)
	}
	if !slices.ContainsFunc(list, func(x fleet.Token) bool { return x.ID == id }) {
		return ui.ErrNotFound
	}
	return translate(t.auth.Revoke(ctx, authActor(by), id))
}

func (t tokens) RevokeDevice(ctx context.Context, by ui.Actor, id string) error {
	return translate(t.auth.RevokeDeviceToken(ctx, authActor(by), id))
}

type auditLog struct{ log *audit.Log }

func auditFilter(q ui.AuditQuery) audit.Filter {
	return audit.Filter{Text: q.Text, Actor: q.Actor, Action: q.Action, Device: q.Device, Address: q.Address,
		Outcome: q.Outcome, Since: q.Since, Until: q.Until}
}

func (a auditLog) Recent(_ context.Context, q ui.AuditQuery) ([]fleet.AuditEntry, error) {
	if q.After > 0 {
		list, err := a.log.Newer(auditFilter(q), q.After, q.Limit)
		return list, translate(err)
	}
	list, err := a.log.Recent(auditFilter(q), q.Before, q.Limit)
	return list, translate(err)
}

func (a auditLog) Export(ctx context.Context, by ui.Actor, w io.Writer, q ui.AuditQuery, format string) error {
	// A full disk must not keep the log from being read; the log counts what it missed.
	_ = a.log.Write(ctx, fleet.AuditEntry{Actor: by.Name, Address: by.Address.String(), Action: "audit.exported", Object: format, Outcome: audit.OutcomeOK})
	return translate(a.log.Export(ctx, w, auditFilter(q), format))
}
