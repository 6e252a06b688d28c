package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"slipway/fleet"
)

// Access is who may call a route. The zero value is no rule and refused by New.
type Access int

// The access rules.
const (
	NoRule         Access = iota
	Public                // anyone: mechanisms, sign-in, health, OpenAPI
	Device                // a device's token, bound to its key when it has one
	DeviceOrViewer        // a device for what is its own, or whoever may view
	Viewer                // an API token or account of that role, or the local socket
	Technician            // the same, one step up
	Administrator         // the same, one step up
)

func (a Access) role() fleet.Role {
	switch a {
	case Viewer, DeviceOrViewer:
		return fleet.RoleViewer
	case Technician:
		return fleet.RoleTechnician
	case Administrator:
		return fleet.RoleAdministrator
	}
	return ""
}

// route is one call of the API: where it is, who may call it, what goes in and
// out. The OpenAPI document is made from these fields.
type route struct {
	Method  string
	Path    string // OpenAPI form: /devices/{id}
	Access  Access
	Summary string
	Query   []string // names of query parameters
	In      any      // zero value of the body, nil: none
	Out     any      // zero value of the answer, nil: none
	Status  int      // of success; 0: 200
	MaxBody int64    // bytes; 0: defaultMaxBody
	// AfterEnd lets in a device's token whose deployment, the {id} of the path, has
	// ended: for its last reports.
	AfterEnd bool
	Handle   func(c *call) (any, error)
}

// defaultMaxBody bounds request bodies, in bytes.
const defaultMaxBody = 256 << 10

// call is one request on its way through a route.
type call struct {
	*gin.Context
	Token fleet.Token // set on Device routes
	Actor string      // set on role routes: account or token name, "local" on the socket
	Local bool        // the call came by the local socket
}

// ctx is the request's context.
func (c *call) ctx() context.Context { return c.Request.Context() }

// body decodes the JSON body strictly into out.
func (c *call) body(out any) error { return decodeStrict(c.Request.Body, out, true) }

// lenientBody decodes a device's report: unknown fields are ignored, so that a
// newer agent may say more than this appliance knows (design: wire outlives code).
func (c *call) lenientBody(out any) error { return decodeStrict(c.Request.Body, out, false) }

// raw is an answer that is not JSON.
type raw struct {
	ContentType string
	Body        []byte
}

// written says that the handler has written the answer itself.
type written struct{}

func (r route) success() int {
	if r.Status != 0 {
		return r.Status
	}
	if r.Out == nil {
		return http.StatusNoContent
	}
	return http.StatusOK
}
