package api

import (
	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/fleet"
)

// auditRoutes are the audit log and the settings that have no place of their own.
func (a *API) auditRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/audit", Access: Administrator, Summary: "The audit log, newest first",
			Query: []string{"text", "actor", "action", "device", "address", "outcome", "before", "limit"}, Out: AuditPage{}, Handle: a.auditPage},
		{Method: "GET", Path: admin + "/settings", Access: Viewer, Summary: "General settings", Out: fleet.Settings{}, Handle: func(c *call) (any, error) {
			return a.Settings.Get(c.ctx())
		}},
		{Method: "PUT", Path: admin + "/settings", Access: Administrator, Summary: "Change general settings", In: fleet.Settings{}, Handle: a.setSettings},
	}
}

func (a *API) auditPage(c *call) (any, error) {
	before, err := c.queryInt("before", 0)
	if err != nil {
		return nil, err
	}
	limit, err := c.queryInt("limit", 100)
	if err != nil {
		return nil, err
	}
	filter := audit.Filter{Text: c.Query("text"), Actor: c.Query("actor"), Action: c.Query("action"),
		Device: c.Query("device"), Address: c.Query("address"), Outcome: c.Query("outcome")}
	entries, err := a.Audit.Recent(filter, before, int(min(limit, 1000)))
	return AuditPage{nonNil(entries)}, err
}

func (a *API) setSettings(c *call) (any, error) {
	var in fleet.Settings
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Settings.Set(c.ctx(), c.Actor, in)
}

// by is who changes something, for the audit log.
func (a *API) by(c *call) auth.Actor { return auth.Actor{Name: c.Actor, Address: addressOf(c)} }
