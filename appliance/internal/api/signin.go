package api

import (
	"net/http"

	"slipway/agent/wire"
	"slipway/fleet"
)

// signInRoutes are what a device without a token may call.
func (a *API) signInRoutes() []route {
	return []route{
		{Method: "GET", Path: prefix + "/auth/mechanisms", Access: Public, Summary: "The sign-in mechanisms this caller may try now, in order",
			Query: []string{"environment", "uuid"}, Out: wire.Mechanisms{}, Handle: a.mechanisms},
		{Method: "POST", Path: prefix + "/auth/passcode", Access: Public, Summary: "Sign in with the passcode",
			In: wire.PasscodeSignIn{}, Out: wire.Token{}, MaxBody: 16 << 10, Handle: a.signInPasscode},
		{Method: "POST", Path: prefix + "/auth/anonymous", Access: Public, Summary: "Sign in without proof (not in this version)", Status: http.StatusForbidden, Handle: notEnabled},
		{Method: "POST", Path: prefix + "/auth/certificate", Access: Public, Summary: "Sign in with a certificate (not in this version)", Status: http.StatusForbidden, Handle: notEnabled},
		{Method: "POST", Path: prefix + "/auth/entra", Access: Public, Summary: "Start an Entra ID sign-in (not in this version)", Status: http.StatusForbidden, Handle: notEnabled},
		{Method: "POST", Path: prefix + "/auth/entra/poll", Access: Public, Summary: "Poll an Entra ID sign-in (not in this version)", Status: http.StatusForbidden, Handle: notEnabled},
		{Method: "POST", Path: prefix + "/auth/renew", Access: Device, Summary: "Exchange the token for a fresh one", Out: wire.Token{}, Handle: a.renew},
	}
}

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

// notEnabled answers for mechanisms that cannot be enabled yet.
func notEnabled(*call) (any, error) {
	return nil, &Problem{Status: http.StatusForbidden, Code: "not-enabled", Detail: "This mechanism is not enabled."}
}

func (a *API) renew(c *call) (any, error) {
	token, expires, err := a.Auth.Renew(c.ctx(), bearer(c.Request), caller(c.Request))
	if err != nil {
		return nil, err
	}
	return wire.Token{Token: token, ExpiresAt: expires}, nil
}
