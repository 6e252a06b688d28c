package api

import (
	"errors"
	"net/http"

	"slipway/agent/wire"
	"slipway/appliance/internal/domainjoin"
	"slipway/tasksequence"
)

// joinRoutes is what devices that join a domain offline ask.
func (a *API) joinRoutes() []route {
	return []route{{Method: "POST", Path: prefix + "/deployments/{id}/domain-join", Access: Device, Summary: "Have the computer's account in the domain made; for the step Offline domain join",
		In: wire.DomainJoinRequest{}, Out: wire.DomainJoin{}, Handle: a.joinDomain}}
}

// joinDomain: that the device may ask comes of its task sequence alone.
func (a *API) joinDomain(c *call) (any, error) {
	var in wire.DomainJoinRequest
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	d, err := a.Engine.OwnStep(c.Token, c.Param("id"), tasksequence.OfflineDomainJoin)
	if err != nil {
		return nil, err
	}
	device, err := a.Devices.Get(c.ctx(), d.DeviceID)
	if err != nil {
		return nil, err
	}
	blob, err := a.Joins.Provision(c.ctx(), domainjoin.Request{Deployment: d.ID, Device: device, Computer: in.ComputerName, OU: in.OU})
	if err != nil {
		return nil, err
	}
	return wire.DomainJoin{Blob: blob}, nil
}

// joinProblem maps the errors of domain joins to their answers. None of them says
// "later": somebody has to do something first.
func joinProblem(err error) *Problem {
	var invalid *domainjoin.InvalidError
	switch {
	case errors.As(err, &invalid):
		return &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: invalid.Detail + ".", Fields: []wire.FieldError{{Field: invalid.Field, Detail: invalid.Detail}}}
	case errors.Is(err, domainjoin.ErrNotSet):
		return &Problem{Status: http.StatusConflict, Code: "domain-join", Detail: "No program for offline domain joins is set up: name one in the appliance's configuration (domain_join.command), or give the device the variable DomainJoinBlob."}
	case errors.Is(err, domainjoin.ErrFailed):
		return &Problem{Status: http.StatusConflict, Code: "domain-join", Detail: "The computer's account could not be made; the appliance's log says why."}
	case errors.Is(err, domainjoin.ErrOther):
		return &Problem{Status: http.StatusConflict, Code: "domain-join", Detail: "This deployment has an account under another name already."}
	}
	return nil
}
