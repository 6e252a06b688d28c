package api

import (
	"net/http"

	"slipway/agent/wire"
	"slipway/fleet"
)

// maxReport bounds the bodies of a device's reports, in bytes.
const maxReport = 4 << 20

// deviceRoutes are what a signed-in device calls.
func (a *API) deviceRoutes() []route {
	const one = prefix + "/deployments/{id}"
	return []route{
		{Method: "GET", Path: prefix + "/task-sequences", Access: Device, Summary: "What this device may run", Out: wire.TaskSequences{}, Handle: a.taskSequences},
		{Method: "POST", Path: prefix + "/deployments", Access: Device, Summary: "Start a deployment", In: wire.StartDeployment{}, Out: wire.Deployment{},
			Status: http.StatusCreated, MaxBody: maxReport, Handle: a.startDeployment},
		{Method: "GET", Path: prefix + "/deployments/current", Access: Device, Summary: "This device's unfinished deployment", Out: wire.Deployment{}, Handle: a.currentDeployment},
		{Method: "GET", Path: one, Access: DeviceOrViewer, AfterEnd: true, Summary: "Look at a deployment", Out: wire.Deployment{}, Handle: a.getDeployment},
		{Method: "POST", Path: one + "/resume", Access: Device, Summary: "Continue a deployment: a new epoch begins", In: wire.ResumeDeployment{}, Out: wire.Deployment{}, Handle: a.resumeDeployment},
		{Method: "POST", Path: one + "/events", Access: Device, AfterEnd: true, Summary: "Report; the answer carries orders", In: wire.EventBatch{}, Out: wire.EventAnswer{}, MaxBody: maxReport, Handle: a.events},
		{Method: "POST", Path: one + "/logs", Access: Device, AfterEnd: true, Summary: "Upload log lines", In: wire.LogBatch{}, Out: wire.LogAnswer{}, MaxBody: maxReport, Handle: a.logs},
		{Method: "PUT", Path: prefix + "/device/facts", Access: Device, Summary: "Report the device's facts", In: wire.Facts{}, Handle: a.facts},
	}
}

func (a *API) taskSequences(c *call) (any, error) { return a.Library.Choices(c.Token) }

func (a *API) startDeployment(c *call) (any, error) {
	var in wire.StartDeployment
	if err := c.body(&in); err != nil {
		return nil, err
	}
	a.noteImage(c)
	return a.Engine.Start(c.ctx(), c.Token, in)
}

func (a *API) currentDeployment(c *call) (any, error) {
	d, ok, err := a.Engine.Current(c.Token)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Problem{Status: http.StatusNotFound, Code: "not-found", Detail: "This device has no unfinished deployment."}
	}
	return a.Engine.Get(c.Token, d.ID)
}

func (a *API) getDeployment(c *call) (any, error) {
	token := c.Token
	if c.Local {
		token = fleet.Token{Kind: fleet.TokenAPI, Role: fleet.RoleViewer}
	}
	return a.Engine.Get(token, c.Param("id"))
}

func (a *API) resumeDeployment(c *call) (any, error) {
	var in wire.ResumeDeployment
	if c.Request.ContentLength != 0 { // the body may be left out
		if err := c.lenientBody(&in); err != nil {
			return nil, err
		}
	}
	a.noteImage(c)
	return a.Engine.Resume(c.ctx(), c.Token, c.Param("id"), in.Environment)
}

func (a *API) events(c *call) (any, error) {
	var in wire.EventBatch
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	return a.Engine.Events(c.ctx(), c.Token, c.Param("id"), in)
}

func (a *API) logs(c *call) (any, error) {
	var in wire.LogBatch
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	return a.Engine.Logs(c.ctx(), c.Token, c.Param("id"), in)
}

func (a *API) facts(c *call) (any, error) {
	var in wire.Facts
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	return nil, a.Devices.SetFacts(c.ctx(), c.Token.DeviceID, in.Facts)
}
