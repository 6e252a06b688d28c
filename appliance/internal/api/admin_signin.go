package api

import (
	"slipway/appliance/internal/auth"
	"slipway/fleet"
)

// signInSettingsRoutes are the settings of the sign-in mechanisms.
func (a *API) signInSettingsRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/auth", Access: Viewer, Summary: "How devices and people sign in", Out: AuthSettings{}, Handle: a.authSettings},
		{Method: "PATCH", Path: admin + "/auth", Access: Administrator, Summary: "Change sign-in settings, all or none, effective at once", In: ChangeAuth{}, Out: AuthSettings{}, MaxBody: 2 << 20, Handle: a.changeAuth},
		{Method: "POST", Path: admin + "/auth/test/{mechanism}", Access: Administrator, Summary: "Try the settings of a mechanism out: anonymous, certificate, entra, passcode, console", Out: fleet.SignInTest{}, Handle: func(c *call) (any, error) {
			return a.Auth.TestSignIn(c.ctx(), a.by(c), fleet.Mechanism(c.Param("mechanism")))
		}},
	}
}

func (a *API) authSettings(c *call) (any, error) {
	v, err := a.Auth.SignInSettings(c.ctx())
	if err != nil {
		return nil, err
	}
	out := AuthSettings{Mechanisms: []fleet.Mechanism{}, Settings: auth.SignInKeys(v)}
	if out.Passcode, err = a.Auth.PasscodeStatus(c.ctx()); err != nil {
		return nil, err
	}
	for _, m := range []struct {
		on   bool
		name fleet.Mechanism
	}{
		{v.Anonymous, fleet.MechanismAnonymous}, {v.Certificate.Enabled, fleet.MechanismCertificate},
		{v.Entra.Enabled, fleet.MechanismEntra}, {out.Passcode.Set, fleet.MechanismPasscode},
	} {
		if m.on {
			out.Mechanisms = append(out.Mechanisms, m.name)
		}
	}
	if out.Preview, err = a.Auth.Preview(c.ctx()); err != nil {
		return nil, err
	}
	out.Warnings, err = a.Auth.Warnings(c.ctx())
	out.Warnings = nonNil(out.Warnings)
	if len(out.Warnings) > 0 {
		out.Warning = out.Warnings[0]
	}
	return out, err
}

func (a *API) changeAuth(c *call) (any, error) {
	var in ChangeAuth
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if err := a.Auth.ChangeSignIn(c.ctx(), a.by(c), in.Settings, in.Confirm); err != nil {
		return nil, err
	}
	return a.authSettings(c)
}
