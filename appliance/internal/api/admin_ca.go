package api

import (
	"errors"
	"net/http"

	"slipway/appliance/internal/imaging"
	"slipway/appliance/internal/pki"
	"slipway/bootimages"
	"slipway/fleet"
)

// RotateCA starts a rotation, or the builds that are missing in the one under way.
// The folders are those of BuildImage.
type RotateCA struct {
	Now          bool   `json:"now,omitempty"` // the new authority signs at once, whatever lacks it
	Packages     string `json:"packages,omitempty"`
	Firmware     string `json:"firmware,omitempty"`
	Overlay      string `json:"overlay,omitempty"`
	AllowSecrets bool   `json:"allowSecrets,omitempty"`
}

// ForceCA goes with a changeover or a retirement.
type ForceCA struct {
	Force        bool   `json:"force,omitempty"` // although it locks devices out
	Packages     string `json:"packages,omitempty"`
	Firmware     string `json:"firmware,omitempty"`
	Overlay      string `json:"overlay,omitempty"`
	AllowSecrets bool   `json:"allowSecrets,omitempty"`
}

// CARotation is how a rotation stands after a change.
type CARotation struct {
	Begun  bool                  `json:"begun"` // false: one was under way already
	Builds []string              `json:"builds"`
	Left   []string              `json:"left"` // images that must be built by hand, with the reason
	Status fleet.AuthorityStatus `json:"status"`
}

// caRoutes are the certificate authority and its rotation.
func (a *API) caRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/ca/status", Access: Viewer, Summary: "The authorities, and what does not trust the newest", Out: fleet.AuthorityStatus{}, Handle: func(c *call) (any, error) {
			return a.Rotation.Status(c.ctx())
		}},
		{Method: "POST", Path: admin + "/ca/rotate", Access: Administrator, Summary: "Begin to replace the authority, and build the served images for it", In: RotateCA{}, Out: CARotation{}, Status: http.StatusAccepted, Handle: a.rotateCA},
		{Method: "POST", Path: admin + "/ca/changeover", Access: Administrator, Summary: "Let the pending authority sign", In: ForceCA{}, Out: CARotation{}, Handle: a.changeOverCA},
		{Method: "POST", Path: admin + "/ca/retire", Access: Administrator, Summary: "Take the old authority out of the set, and build the served images without it", In: ForceCA{}, Out: CARotation{}, Handle: a.retireCA},
	}
}

func (a *API) rotateCA(c *call) (any, error) {
	var in RotateCA
	if err := c.body(&in); err != nil {
		return nil, err
	}
	folders := bootimages.Options{Packages: in.Packages, Firmware: in.Firmware, Overlay: in.Overlay, AllowSecrets: in.AllowSecrets}
	if err := localFolders(c, folders); err != nil {
		return nil, err
	}
	begun, err := a.Rotation.Rotate(c.ctx(), caActor(c))
	if err == nil && in.Now {
		err = a.Rotation.ChangeOver(c.ctx(), caActor(c), true)
	}
	if err != nil {
		return nil, caProblem(err)
	}
	return a.rebuilt(c, begun, folders)
}

func (a *API) changeOverCA(c *call) (any, error) {
	var in ForceCA
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if err := a.Rotation.ChangeOver(c.ctx(), caActor(c), in.Force); err != nil {
		return nil, caProblem(err)
	}
	status, err := a.Rotation.Status(c.ctx())
	return CARotation{Builds: []string{}, Left: []string{}, Status: status}, err
}

func (a *API) retireCA(c *call) (any, error) {
	var in ForceCA
	if err := c.body(&in); err != nil {
		return nil, err
	}
	folders := bootimages.Options{Packages: in.Packages, Firmware: in.Firmware, Overlay: in.Overlay, AllowSecrets: in.AllowSecrets}
	if err := localFolders(c, folders); err != nil {
		return nil, err
	}
	if err := a.Rotation.Retire(c.ctx(), caActor(c), in.Force); err != nil {
		return nil, caProblem(err)
	}
	return a.rebuilt(c, false, folders)
}

// rebuilt starts the builds that the new CA set makes necessary.
func (a *API) rebuilt(c *call, begun bool, folders bootimages.Options) (any, error) {
	builds, left, err := a.Images.Rebuild(c.ctx(), imaging.Actor{Name: c.Actor, Address: addressOf(c)}, folders)
	if err != nil {
		return nil, err
	}
	status, err := a.Rotation.Status(c.ctx())
	return CARotation{Begun: begun, Builds: nonNil(builds), Left: nonNil(left), Status: status}, err
}

// localFolders lets only the appliance's own command line name its folders: what
// is in them goes before everyone.
func localFolders(c *call, o bootimages.Options) error {
	if !c.Local && (o.Packages != "" || o.Firmware != "" || o.Overlay != "" || o.AllowSecrets) {
		return &Problem{Status: http.StatusForbidden, Code: "local-only",
			Detail: "Folders of the appliance can only be named on the appliance itself: slipway ca rotate."}
	}
	return nil
}

func caActor(c *call) pki.Actor { return pki.Actor{Name: c.Actor, Address: addressOf(c)} }

// caProblem is the answer to a rotation that cannot go on as asked.
func caProblem(err error) error {
	var blocked *pki.BlockedError
	if errors.As(err, &blocked) || isAny(err, pki.ErrNotRetired, pki.ErrNoRotation, pki.ErrNothingOld, pki.ErrStillSigned) {
		return &Problem{Status: http.StatusConflict, Code: "rotation", Detail: err.Error(), Cause: err}
	}
	return err
}
