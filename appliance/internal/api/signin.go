package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/auth"
	"slipway/fleet"
)

// signInRoutes are what a device without a token may call.
func (a *API) signInRoutes() []route {
	return []route{
		{Method: "GET", Path: prefix + "/auth/mechanisms", Access: Public, Summary: "The sign-in mechanisms this caller may try now, in order",
			Query: []string{"environment", "uuid"}, Out: wire.Mechanisms{}, Handle: a.mechanisms},
		{Method: "POST", Path: prefix + "/auth/passcode", Access: Public, Summary: "Sign in with the passcode",
			In: wire.PasscodeSignIn{}, Out: wire.Token{}, MaxBody: maxSignIn, Handle: a.signInPasscode},
		{Method: "POST", Path: prefix + "/auth/anonymous", Access: Public, Summary: "Sign in without proof, where that is switched on",
			In: wire.SignIn{}, Out: wire.Token{}, MaxBody: maxSignIn, Handle: a.signInBy(a.Auth.SignInAnonymous)},
		{Method: "POST", Path: prefix + "/auth/certificate", Access: Public, Summary: "Sign in an installed system with the connection's client certificate",
			In: wire.SignIn{}, Out: wire.Token{}, MaxBody: maxSignIn, Handle: a.signInBy(a.Auth.SignInCertificate)},
		{Method: "POST", Path: prefix + "/auth/entra", Access: Public, Summary: "Start a sign-in with Entra ID or another OpenID provider",
			In: wire.SignIn{}, Out: wire.EntraStart{}, MaxBody: maxSignIn, Handle: a.startEntra},
		{Method: "POST", Path: prefix + "/auth/entra/poll", Access: Public, Summary: "Ask how such a sign-in stands: 200 a token, 202 pending, 403 denied, 410 expired",
			In: wire.EntraPoll{}, Out: wire.Token{}, MaxBody: maxSignIn, Handle: a.pollEntra},
		{Method: "POST", Path: prefix + "/auth/renew", Access: Device, Summary: "Exchange the token for a fresh one", Out: wire.Token{}, Handle: a.renew},
	}
}

// maxSignIn bounds the body of a sign-in, in bytes: strangers send them.
const maxSignIn = 16 << 10

// defaultEnvironment is what a caller that names none is taken for.
const defaultEnvironment = wire.LinuxPE

func (a *API) mechanisms(c *call) (any, error) {
	env := c.DefaultQuery("environment", defaultEnvironment)
	list, err := a.Auth.Mechanisms(c.ctx(), env, c.Query("uuid"), caller(c.Request))
	if err != nil {
		return nil, err
	}
	settings, err := a.Settings.Get(c.ctx())
	if err != nil {
		return nil, err
	}
	out := wire.Mechanisms{Mechanisms: []string{}, Keyboard: settings.Keyboard}
	for _, m := range list {
		if m == fleet.MechanismAnonymous {
			out.Warning = "Anyone may deploy here: anonymous sign-in is switched on."
		}
		out.Mechanisms = append(out.Mechanisms, string(m))
	}
	return out, nil
}

func (a *API) signInPasscode(c *call) (any, error) {
	var in wire.PasscodeSignIn
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if in.Environment == "" {
		in.Environment = defaultEnvironment
	}
	token, expires, err := a.Auth.SignInPasscode(c.ctx(), in.Passcode, in.Environment, claimOf(in.Device), caller(c.Request))
	if err != nil {
		return nil, err
	}
	return wire.Token{Token: token, ExpiresAt: expires}, nil
}

func claimOf(d wire.Device) fleet.Claim {
	return fleet.Claim{UUID: d.UUID, MACs: d.MAC, Serial: d.Serial, Manufacturer: d.Manufacturer, Model: d.Model}
}

// signInBy is a sign-in whose proof is not in the body.
func (a *API) signInBy(method func(context.Context, string, fleet.Claim, auth.Caller) (string, time.Time, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		in, err := signInBody(c)
		if err != nil {
			return nil, err
		}
		token, expires, err := method(c.ctx(), in.Environment, claimOf(in.Device), caller(c.Request))
		if err != nil {
			return nil, err
		}
		return wire.Token{Token: token, ExpiresAt: expires}, nil
	}
}

func signInBody(c *call) (in wire.SignIn, err error) {
	if err := c.body(&in); err != nil {
		return in, err
	}
	if in.Environment == "" {
		in.Environment = defaultEnvironment
	}
	return in, nil
}

func (a *API) startEntra(c *call) (any, error) {
	in, err := signInBody(c)
	if err != nil {
		return nil, err
	}
	e, err := a.Auth.StartEntra(c.ctx(), in.Environment, claimOf(in.Device), caller(c.Request))
	if err != nil {
		return nil, err
	}
	return wire.EntraStart{Session: e.Session, UserCode: e.UserCode, VerificationURI: e.VerificationURI,
		VerificationURIComplete: e.VerificationURIComplete, ExpiresIn: int(e.ExpiresIn / time.Second), Interval: wholeSeconds(e.Interval)}, nil
}

func (a *API) pollEntra(c *call) (any, error) {
	var in wire.EntraPoll
	if err := c.body(&in); err != nil {
		return nil, err
	}
	token, expires, err := a.Auth.PollEntra(c.ctx(), in.Session, caller(c.Request))
	var pending *auth.PendingError
	if errors.As(err, &pending) {
		c.JSON(http.StatusAccepted, wire.EntraPending{Interval: wholeSeconds(pending.Interval)})
		return written{}, nil
	}
	if err != nil {
		return nil, err
	}
	return wire.Token{Token: token, ExpiresAt: expires}, nil
}

// wholeSeconds rounds up: who comes back too early is told to slow down.
func wholeSeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

func (a *API) renew(c *call) (any, error) {
	token, expires, err := a.Auth.Renew(c.ctx(), bearer(c.Request), caller(c.Request))
	if err != nil {
		return nil, err
	}
	return wire.Token{Token: token, ExpiresAt: expires}, nil
}
