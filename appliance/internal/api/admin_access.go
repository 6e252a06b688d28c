package api

import (
	"net/http"
	"time"
)

const admin = prefix + "/admin"

// accessRoutes are sign-in settings, accounts, tokens and what is held back.
func (a *API) accessRoutes() []route {
	return []route{
		{Method: "PUT", Path: admin + "/passcode", Access: Administrator, Summary: "Set or rotate the passcode", In: SetPasscode{}, Handle: a.setPasscode},
		{Method: "DELETE", Path: admin + "/passcode", Access: Administrator, Summary: "Remove the passcode", Handle: func(c *call) (any, error) {
			return nil, a.Auth.ClearPasscode(c.ctx(), a.by(c))
		}},
		{Method: "GET", Path: admin + "/ca", Access: Viewer, Summary: "The certificates of the appliance's authority, PEM", Out: raw{}, Handle: func(*call) (any, error) {
			return raw{"application/x-pem-file", a.CA()}, nil
		}},
		{Method: "GET", Path: admin + "/agent-config", Access: Viewer, Summary: "A configuration file for slipway-agent on installed systems", Out: AgentConfig{}, Handle: func(*call) (any, error) {
			return a.Agent(), nil
		}},
		{Method: "GET", Path: admin + "/held", Access: Technician, Summary: "Devices held back by a cap", Out: HeldDevices{}, Handle: func(c *call) (any, error) {
			list, err := a.Auth.Held(c.ctx())
			return HeldDevices{nonNil(list)}, err
		}},
		{Method: "POST", Path: admin + "/held/{code}/release", Access: Technician, Summary: "Let a held device try again", Handle: func(c *call) (any, error) {
			return nil, a.Auth.Release(c.ctx(), a.by(c), c.Param("code"))
		}},
		{Method: "GET", Path: admin + "/accounts", Access: Administrator, Summary: "Console accounts", Out: Accounts{}, Handle: a.listAccounts},
		{Method: "POST", Path: admin + "/accounts", Access: Administrator, Summary: "Add a console account", In: AddAccount{}, Handle: a.addAccount},
		{Method: "DELETE", Path: admin + "/accounts/{name}", Access: Administrator, Summary: "Remove a console account", Handle: func(c *call) (any, error) {
			return nil, a.Auth.RemoveAccount(c.ctx(), a.by(c), c.Param("name"))
		}},
		{Method: "GET", Path: admin + "/tokens", Access: Administrator, Summary: "API tokens", Out: Tokens{}, Handle: a.listTokens},
		{Method: "POST", Path: admin + "/tokens", Access: Administrator, Summary: "Add an API token", In: AddToken{}, Out: NewToken{}, Status: http.StatusCreated, Handle: a.addToken},
		{Method: "DELETE", Path: admin + "/tokens/{id}", Access: Administrator, Summary: "Revoke a token", Handle: func(c *call) (any, error) {
			return nil, a.Auth.Revoke(c.ctx(), a.by(c), c.Param("id"))
		}},
	}
}

// nonNil makes an empty list [] and not null in JSON.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (a *API) setPasscode(c *call) (any, error) {
	var in SetPasscode
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Auth.SetPasscode(c.ctx(), a.by(c), in.Passcode, in.Force)
}

func (a *API) listAccounts(c *call) (any, error) {
	list, err := a.Auth.ListAccounts(c.ctx())
	if err != nil {
		return nil, err
	}
	out := Accounts{Accounts: []Account{}}
	for _, x := range list {
		out.Accounts = append(out.Accounts, Account{Name: x.Name, Role: x.Role, CreatedAt: x.CreatedAt, CreatedBy: x.CreatedBy, LastSeen: x.LastSeen})
	}
	return out, nil
}

func (a *API) addAccount(c *call) (any, error) {
	var in AddAccount
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Auth.AddAccount(c.ctx(), a.by(c), in.Name, in.Password, in.Role)
}

func (a *API) listTokens(c *call) (any, error) {
	list, err := a.Auth.ListTokens(c.ctx())
	if err != nil {
		return nil, err
	}
	out := Tokens{Tokens: []Token{}}
	for _, t := range list {
		out.Tokens = append(out.Tokens, Token{ID: t.ID, Kind: t.Kind, Name: t.Name, Role: t.Role, DeviceID: t.DeviceID, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt})
	}
	return out, nil
}

func (a *API) addToken(c *call) (any, error) {
	var in AddToken
	if err := c.body(&in); err != nil {
		return nil, err
	}
	days := max(-1, min(in.Days, maxDays)) // still out of bounds then, but no overflow
	value, t, err := a.Auth.AddToken(c.ctx(), a.by(c), in.Name, in.Role, time.Duration(days)*24*time.Hour)
	if err != nil {
		return nil, err
	}
	return NewToken{ID: t.ID, Token: value, ExpiresAt: t.ExpiresAt}, nil
}
