package api

import (
	"errors"
	"fmt"
	"net/http"

	"slipway/agent/wire"
	"slipway/bootimages"
	"slipway/tasksequence"
)

// stagingRoutes is what an agent in an installed Windows asks before it puts Windows PE
// onto the disk.
func (a *API) stagingRoutes() []route {
	return []route{{Method: "POST", Path: prefix + "/deployments/{id}/winpe", Access: Device,
		Summary: "Which Windows PE image an installed Windows restarts into from its own disk; for the step Reboot. With a binding the answer brings a token for that key",
		In:      wire.WinPERequest{}, Out: wire.WinPEImage{}, Handle: a.stageWinPE}}
}

// noStagingError says that no Windows PE image can be put onto a device's disk.
type noStagingError struct{ arch string }

func (e noStagingError) Error() string {
	return fmt.Sprintf("no Windows PE image for %s is served: build one with slipway image build winpe --source FILE", e.arch)
}

// stageWinPE: that the device may ask comes of its task sequence alone. The image is
// noted as the device's: it is not removed while the deployment goes on.
func (a *API) stageWinPE(c *call) (any, error) {
	var in wire.WinPERequest
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	if in.Format != wire.WinPEFormat {
		return nil, &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: fmt.Sprintf("This appliance knows format %d of this question, not %d.", wire.WinPEFormat, in.Format)}
	}
	d, err := a.Engine.OwnStep(c.Token, c.Param("id"), tasksequence.Reboot)
	if err != nil {
		return nil, err
	}
	if in.Architecture != bootimages.X64 && in.Architecture != bootimages.ARM64 {
		return nil, &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: "The architecture is to be x64 or arm64."}
	}
	image, ok := a.Images.CurrentWinPE(in.Architecture)
	if !ok {
		return nil, noStagingError{in.Architecture}
	}
	out := wire.WinPEImage{Format: wire.WinPEFormat, Image: image.ID}
	for _, f := range image.Files {
		if f.Name == bootimages.BootWIM || f.Name == bootimages.BootSDI {
			out.Files = append(out.Files, wire.BootFile{Name: f.Name, Path: "/boot/" + image.ID + "/" + f.Name, Size: f.Size, SHA256: f.SHA256})
		}
	}
	if len(out.Files) != 2 {
		return nil, noStagingError{in.Architecture}
	}
	if _, report, err := a.Images.Report(image.ID); err == nil { // without it nothing is known to lack
		out.Lacks = map[string]string{}
		for _, part := range report.Missing() {
			out.Lacks[part.ID] = part.Name
		}
	}
	if err := a.Devices.NoteImage(c.ctx(), d.DeviceID, image.ID); err != nil {
		return nil, err
	}
	if in.Binding != "" {
		token, expires, err := a.Auth.Delegate(c.ctx(), c.Token, caller(c.Request), in.Binding)
		if err != nil {
			return nil, err
		}
		out.Token = &wire.Token{Token: token, ExpiresAt: expires}
	}
	return out, nil
}

// stagingProblem maps the errors of these calls to their answers.
func stagingProblem(err error) *Problem {
	var none noStagingError
	if errors.As(err, &none) {
		return &Problem{Status: http.StatusNotFound, Code: "no-winpe", Detail: capital(none.Error())}
	}
	return nil
}
