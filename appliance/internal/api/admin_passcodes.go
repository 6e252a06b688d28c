package api

import (
	"time"

	"slipway/appliance/internal/auth"
	"slipway/fleet"
)

// sharedPasscode names the classic shared passcode among the others.
const sharedPasscode = "default"

// Passcodes are all passcodes that are set: the shared one, named "default", first.
type Passcodes struct {
	Passcodes []fleet.PasscodeStatus `json:"passcodes"`
}

// PutPasscode sets or rotates one passcode. The shared one has no limits.
type PutPasscode struct {
	Value          string      `json:"value"`
	Force          bool        `json:"force,omitempty"`          // accept a weak one
	ExpiresAt      time.Time   `json:"expiresAt,omitzero"`       // zero: never
	Days           int         `json:"days,omitempty"`           // until it expires, instead of expiresAt
	MaxUses        int         `json:"maxUses,omitempty"`        // sign-ins; 0: any number
	Scope          fleet.Scope `json:"scope,omitzero"`           // zero: everything
	OverlapSeconds int64       `json:"overlapSeconds,omitempty"` // how long the value before is accepted as well
}

// GeneratedPasscode is a passcode that was made up. It is kept nowhere and not set.
type GeneratedPasscode struct {
	Value string  `json:"value"`
	Bits  float64 `json:"bits"` // estimated strength
}

// passcodeRoutes are the passcodes beyond the classic one, and the tokens that
// came of any sign-in of a device.
func (a *API) passcodeRoutes() []route {
	const one = admin + "/passcodes/{name}"
	return []route{
		{Method: "GET", Path: admin + "/passcodes", Access: Viewer, Summary: "Passcodes: never their values", Out: Passcodes{}, Handle: a.listPasscodes},
		{Method: "PUT", Path: one, Access: Administrator, Summary: "Set or rotate a passcode; default is the shared one", In: PutPasscode{}, MaxBody: 64 << 10, Handle: a.putPasscode},
		{Method: "DELETE", Path: one, Access: Administrator, Summary: "Remove a passcode and the one it replaced", Handle: func(c *call) (any, error) {
			return nil, a.Auth.RemovePasscode(c.ctx(), a.by(c), passcodeName(c.Param("name")))
		}},
		{Method: "POST", Path: admin + "/passcodes/generate", Access: Administrator, Summary: "Make up a memorable strong passcode; it is not set", Out: GeneratedPasscode{}, Handle: func(*call) (any, error) {
			value := auth.GeneratePasscode()
			return GeneratedPasscode{Value: value, Bits: auth.Strength(value)}, nil
		}},
		{Method: "GET", Path: admin + "/device-tokens", Access: Technician, Summary: "Tokens of signed-in devices", Out: DeviceTokens{}, Handle: a.listDeviceTokens},
		{Method: "DELETE", Path: admin + "/device-tokens/{id}", Access: Technician, Summary: "Revoke a device's token at once", Handle: func(c *call) (any, error) {
			return nil, a.Auth.RevokeDeviceToken(c.ctx(), a.by(c), c.Param("id"))
		}},
	}
}

// passcodeName is the name as package auth has it: empty for the shared one.
func passcodeName(name string) string {
	if name == sharedPasscode {
		return ""
	}
	return name
}

func (a *API) listPasscodes(c *call) (any, error) {
	list, err := a.Auth.Passcodes(c.ctx())
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Name == "" {
			list[i].Name = sharedPasscode
		}
	}
	return Passcodes{nonNil(list)}, nil
}

// maxDays bounds a number of days before it becomes a duration.
const maxDays = 100 * 366

func (a *API) putPasscode(c *call) (any, error) {
	var in PutPasscode
	if err := c.body(&in); err != nil {
		return nil, err
	}
	switch {
	case in.Days < 0 || in.Days > maxDays:
		return nil, &auth.InvalidError{Field: "days", Detail: "Use a number of days to come."}
	case in.Days > 0 && !in.ExpiresAt.IsZero():
		return nil, &auth.InvalidError{Field: "days", Detail: "Use either days or expiresAt."}
	case in.Days > 0:
		in.ExpiresAt = time.Now().AddDate(0, 0, in.Days)
	case in.OverlapSeconds < 0 || in.OverlapSeconds > maxDays*24*3600:
		return nil, &auth.InvalidError{Field: "overlapSeconds", Detail: "The value before can be accepted for 30 days at most."}
	}
	return nil, a.Auth.PutPasscode(c.ctx(), a.by(c), auth.NewPasscode{
		Name: passcodeName(c.Param("name")), Value: in.Value, Force: in.Force, ExpiresAt: in.ExpiresAt,
		MaxUses: in.MaxUses, Scope: in.Scope, Overlap: time.Duration(in.OverlapSeconds) * time.Second,
	})
}

// DeviceToken is the token of a signed-in device as shown: without its hash.
type DeviceToken struct {
	ID          string          `json:"id"`
	DeviceID    string          `json:"deviceId"`
	Deployment  string          `json:"deployment,omitempty"` // the one it is bound to
	Ended       bool            `json:"ended,omitempty"`      // good only for the last reports of its deployment
	Actor       string          `json:"actor"`
	Mechanism   fleet.Mechanism `json:"mechanism"`
	Passcode    string          `json:"passcode,omitempty"` // name of the passcode that was typed
	Scope       fleet.Scope     `json:"scope,omitzero"`
	Environment string          `json:"environment"`
	Address     string          `json:"address"`
	Bound       bool            `json:"bound"` // to the key of the agent
	CreatedAt   time.Time       `json:"createdAt"`
	ExpiresAt   time.Time       `json:"expiresAt"`
}

// DeviceTokens are the tokens of signed-in devices, newest first.
type DeviceTokens struct {
	Tokens []DeviceToken `json:"tokens"`
}

func (a *API) listDeviceTokens(c *call) (any, error) {
	list, err := a.Auth.ListDeviceTokens(c.ctx())
	if err != nil {
		return nil, err
	}
	out := DeviceTokens{Tokens: []DeviceToken{}}
	for _, t := range list {
		out.Tokens = append(out.Tokens, DeviceToken{
			ID: t.ID, DeviceID: t.DeviceID, Deployment: t.Deployment, Ended: t.Ended, Actor: t.Actor, Mechanism: t.Mechanism,
			Passcode: t.Passcode, Scope: t.Scope, Environment: t.Environment, Address: t.Address, Bound: t.KeyBinding != "",
			CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
		})
	}
	return out, nil
}
