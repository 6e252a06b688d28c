package api

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/devices"
	"slipway/fleet"
)

// fleetRoutes are devices and deployments as administrators see them.
func (a *API) fleetRoutes() []route {
	const device, deployment = admin + "/devices/{id}", admin + "/deployments/{id}"
	return []route{
		{Method: "GET", Path: admin + "/devices", Access: Viewer, Summary: "Devices", Out: Devices{}, Handle: a.listDevices},
		{Method: "GET", Path: device, Access: Viewer, Summary: "One device, by id, name, MAC or UUID", Out: fleet.Device{}, Handle: func(c *call) (any, error) {
			return a.Devices.Get(c.ctx(), c.Param("id"))
		}},
		{Method: "PUT", Path: device + "/sequence", Access: Technician, Summary: "Assign a sequence", In: Assign{}, Handle: a.assign},
		{Method: "PUT", Path: device + "/boot", Access: Technician, Summary: "Set what the device boots", In: SetBoot{}, Handle: a.setBoot},
		{Method: "PUT", Path: device + "/way", Access: Technician, Summary: "Set how the device's UEFI firmware is brought to it", In: SetWay{}, Handle: a.setWay},
		{Method: "PUT", Path: device + "/variables", Access: Technician, Summary: "Set the variables that the device's deployments begin with, all of them", In: SetVariables{}, Handle: a.setVariables},
		{Method: "GET", Path: admin + "/deployments", Access: Viewer, Summary: "Deployments, newest first", Out: Deployments{}, Handle: a.listDeployments},
		{Method: "GET", Path: deployment, Access: Viewer, Summary: "One deployment with its steps", Out: DeploymentDetail{}, Handle: a.deploymentDetail},
		{Method: "GET", Path: deployment + "/log", Access: Viewer, Summary: "A part of a deployment's log; with format (text, jsonl, cmtrace) all of it as a file", Query: []string{"from", "limit", "format"}, Out: LogPage{}, Handle: a.deploymentLog},
		{Method: "POST", Path: deployment + "/orders", Access: Technician, Summary: "Order a deployment to cancel, pause or continue", In: Order{}, Handle: a.order},
	}
}

func (a *API) listDevices(c *call) (any, error) {
	list, err := a.Devices.List(c.ctx())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(x, y fleet.Device) int { return cmp.Or(y.LastSeen.Compare(x.LastSeen), cmp.Compare(x.ID, y.ID)) })
	return Devices{nonNil(list)}, nil
}

func (a *API) assign(c *call) (any, error) {
	var in Assign
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Devices.Assign(c.ctx(), a.deviceActor(c), c.Param("id"), in.Sequence)
}

func (a *API) setWay(c *call) (any, error) {
	var in SetWay
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Devices.SetWay(c.ctx(), a.deviceActor(c), c.Param("id"), in.Way)
}

func (a *API) setVariables(c *call) (any, error) {
	var in SetVariables
	if err := c.body(&in); err != nil {
		return nil, err
	}
	list := make([]devices.Variable, 0, len(in.Variables))
	for _, v := range in.Variables {
		x := devices.Variable{Name: v.Name}
		if v.Value != nil {
			x.Value = *v.Value
		} else if v.Secret {
			x.Keep = v.Name
		}
		x.Value.Secret = v.Secret
		list = append(list, x)
	}
	return nil, a.Devices.SetVariables(c.ctx(), a.deviceActor(c), c.Param("id"), list)
}

func (a *API) setBoot(c *call) (any, error) {
	var in SetBoot
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Devices.SetBoot(c.ctx(), a.deviceActor(c), c.Param("id"), in.Target, in.Once)
}

func (a *API) listDeployments(c *call) (any, error) {
	list, err := a.Engine.List()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(x, y fleet.Deployment) int {
		return cmp.Or(y.StartedAt.Compare(x.StartedAt), cmp.Compare(x.ID, y.ID))
	})
	return Deployments{nonNil(list)}, nil
}

func (a *API) deploymentDetail(c *call) (any, error) {
	id := c.Param("id")
	d, err := a.Engine.Deployment(id)
	if err != nil {
		return nil, err
	}
	results, err := a.Engine.Results(id)
	if err != nil {
		return nil, err
	}
	out := DeploymentDetail{Deployment: d, Results: nonNil(results)}
	if p, ok := a.Engine.Progress(id); ok {
		out.Progress = &p
	}
	return out, nil
}

// maxLogLines bounds one page of a log.
const maxLogLines = 5000

func (a *API) deploymentLog(c *call) (any, error) {
	if format := c.Query("format"); format != "" {
		return a.wholeLog(c, format)
	}
	from, err := c.queryInt("from", 1)
	if err != nil {
		return nil, err
	}
	limit, err := c.queryInt("limit", 1000)
	if err != nil {
		return nil, err
	}
	lines, last, err := a.Engine.ReadLog(c.Param("id"), from, int(min(limit, maxLogLines)))
	if err != nil {
		return nil, err
	}
	return LogPage{Lines: nonNil(lines), Last: last}, nil
}

// wholeLog answers the log as a file. It is bounded by the cap of a deployment's log.
func (a *API) wholeLog(c *call, format string) (any, error) {
	mediaType, ending, ok := fleet.LogFile(format)
	if !ok {
		return nil, badRequest("A log is handed out as "+strings.Join(fleet.LogFormats(), ", ")+".", nil)
	}
	lines, _, err := a.Engine.ReadLog(c.Param("id"), 1, math.MaxInt)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, l := range lines {
		text = fleet.AppendLogLine(text, format, l)
	}
	c.Header("Content-Disposition", `attachment; filename="deployment-`+c.Param("id")+ending+`"`)
	return raw{mediaType, text}, nil
}

func (a *API) order(c *call) (any, error) {
	var in Order
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Engine.Order(c.ctx(), a.engineActor(c), c.Param("id"), in.Order)
}

// variablesProblem names each variable and what is wrong with it.
func variablesProblem(list devices.VariableErrors) *Problem {
	p := &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: "The variables cannot be taken as they are."}
	for _, x := range list {
		p.Fields = append(p.Fields, wire.FieldError{Field: fmt.Sprintf("variables.%d.%s", x.Index, x.Field), Detail: x.Detail})
	}
	return p
}
