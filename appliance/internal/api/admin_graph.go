package api

import (
	"math"

	"slipway/agent/wire"
	"slipway/appliance/internal/graph"
	"slipway/fleet"
	"slipway/tasksequence"
)

// GraphSettings are how the appliance reaches Microsoft Graph, and what it needs there.
type GraphSettings struct {
	Settings    []graph.Key        `json:"settings"`
	Permissions []graph.Permission `json:"permissions"`
}

// ChangeGraph changes settings by their keys; an empty value removes one.
type ChangeGraph struct {
	Settings map[string]string `json:"settings"`
}

// graphRoutes are the connection to Microsoft Graph, and what devices have done by it.
func (a *API) graphRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/graph", Access: Viewer, Summary: "How the appliance reaches Microsoft Graph, and the permissions it needs there", Out: GraphSettings{}, Handle: a.graphSettings},
		{Method: "PATCH", Path: admin + "/graph", Access: Administrator, Summary: "Change the settings for Microsoft Graph, all or none, effective at once", In: ChangeGraph{}, Out: GraphSettings{}, Handle: a.changeGraph},
		{Method: "POST", Path: admin + "/graph/test", Access: Administrator, Summary: "Try the settings for Microsoft Graph out; nothing is changed there", Out: fleet.GraphTest{}, Handle: func(c *call) (any, error) {
			return a.Graph.Test(c.ctx(), c.Actor, addressOf(c))
		}},
		{Method: "POST", Path: prefix + "/deployments/{id}/autopilot", Access: Device, Summary: "Register the device with Windows Autopilot, and say how far that is; for the step of that name",
			In: wire.AutopilotRegistration{}, Out: wire.AutopilotState{}, Handle: a.autopilot},
	}
}

func (a *API) graphSettings(c *call) (any, error) {
	v, err := a.Graph.Settings(c.ctx())
	if err != nil {
		return nil, err
	}
	return GraphSettings{Settings: graph.Keys(v), Permissions: graph.Permissions()}, nil
}

func (a *API) changeGraph(c *call) (any, error) {
	var in ChangeGraph
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if err := a.Graph.Change(c.ctx(), c.Actor, addressOf(c), in.Settings); err != nil {
		return nil, err
	}
	return a.graphSettings(c)
}

// autopilot: that the device may ask comes of its task sequence alone.
func (a *API) autopilot(c *call) (any, error) {
	var in wire.AutopilotRegistration
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	d, err := a.Engine.OwnStep(c.Token, c.Param("id"), tasksequence.RegisterWithAutopilot)
	if err != nil {
		return nil, err
	}
	r, err := a.Graph.Register(c.ctx(), d.ID, d.DeviceID, graph.Hardware{Serial: in.Serial, Hash: in.HardwareHash, GroupTag: in.GroupTag, User: in.User})
	if err != nil {
		return nil, err
	}
	return wire.AutopilotState{State: r.State, Detail: r.Detail, Wait: int(math.Ceil(r.Wait.Seconds()))}, nil
}
