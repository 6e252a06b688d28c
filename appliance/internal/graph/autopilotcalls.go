package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// imported is an entry of importedWindowsAutopilotDeviceIdentities.
type imported struct {
	ID     string `json:"id"`
	Serial string `json:"serialNumber"`
	State  struct {
		Status       string `json:"deviceImportStatus"` // unknown, pending, partial, complete, error
		Registration string `json:"deviceRegistrationId"`
		ErrorCode    int    `json:"deviceErrorCode"`
		ErrorName    string `json:"deviceErrorName"`
	} `json:"state"`
}

// identity is an entry of windowsAutopilotDeviceIdentities.
type identity struct {
	ID       string `json:"id"`
	Serial   string `json:"serialNumber"`
	GroupTag string `json:"groupTag"`
	User     string `json:"userPrincipalName"`
	Status   string `json:"deploymentProfileAssignmentStatus"`
}

// advance does what is next.
func (s *Service) advance(ctx context.Context, c *client, r *registration) (Registration, error) {
	if r.imported == "" && r.device == "" {
		if err := s.findOrImport(ctx, c, r); err != nil {
			return Registration{}, err
		}
	}
	if r.device == "" {
		if out, err := s.lookAtImport(ctx, c, r); err != nil || r.device == "" {
			return out, err
		}
	}
	return s.lookAtDevice(ctx, c, r)
}

// findOrImport looks whether the device is registered already, or about to be, and
// hands in its hash if not.
func (s *Service) findOrImport(ctx context.Context, c *client, r *registration) error {
	h := r.hardware
	if err := s.findDevice(ctx, c, r); err != nil || r.device != "" {
		return err
	}
	err := list(ctx, c, importsPath, func(i imported) bool {
		if strings.EqualFold(i.Serial, h.Serial) && i.State.Status != "complete" && i.State.Status != "error" {
			r.imported = i.ID
		}
		return r.imported == ""
	})
	if err != nil || r.imported != "" {
		return err
	}
	body := map[string]any{"@odata.type": "#microsoft.graph.importedWindowsAutopilotDeviceIdentity", "serialNumber": h.Serial, "hardwareIdentifier": h.Hash}
	if h.GroupTag != "" {
		body["groupTag"] = h.GroupTag
	}
	if h.User != "" {
		body["assignedUserPrincipalName"] = h.User
	}
	var got imported
	if err := c.call(ctx, http.MethodPost, importsPath, body, &got); err != nil {
		return refusedHash(err)
	}
	if got.ID == "" {
		return fmt.Errorf("%w: it took the hash, and named no import", ErrUnavailable)
	}
	r.imported, r.updated = got.ID, true
	return nil
}

// refusedHash: an answer that says the hash or its fields cannot be taken.
func refusedHash(err error) error {
	var answer *ResponseError
	if errors.As(err, &answer) && answer.Status == http.StatusBadRequest {
		return fmt.Errorf("%w: %w", ErrAutopilot, err)
	}
	return err
}

// findDevice looks for the registered device by its serial number.
func (s *Service) findDevice(ctx context.Context, c *client, r *registration) error {
	filter := url.Values{"$filter": {"contains(serialNumber,'" + strings.ReplaceAll(r.hardware.Serial, "'", "''") + "')"}}
	found := 0
	err := list(ctx, c, devicesPath+"?"+strings.ReplaceAll(filter.Encode(), "+", "%20"), func(d identity) bool {
		if strings.EqualFold(d.Serial, r.hardware.Serial) {
			r.device = d.ID
			found++
		}
		return true
	})
	if err == nil && found > 1 {
		r.device = ""
		err = fmt.Errorf("%w: %d devices of the serial number %s are registered: remove those that are none any more", ErrAutopilot, found, plain(r.hardware.Serial))
	}
	return err
}

func (s *Service) lookAtImport(ctx context.Context, c *client, r *registration) (Registration, error) {
	var i imported
	if err := c.call(ctx, http.MethodGet, importsPath+"/"+url.PathEscape(r.imported), nil, &i); err != nil {
		if isStatus(err, http.StatusNotFound) { // taken and removed, or removed by somebody
			id := r.imported
			r.imported = ""
			if err := s.findDevice(ctx, c, r); err != nil || r.device != "" {
				return Registration{}, err
			}
			return Registration{}, fmt.Errorf("%w: the import %s was removed from the tenant", ErrAutopilot, plain(id))
		}
		return Registration{}, err
	}
	switch i.State.Status {
	case "complete":
		if r.device = i.State.Registration; r.device != "" {
			return Registration{}, nil
		}
		return Registration{State: Importing, Detail: "The import is done; the device is waited for.", Wait: askAgain}, s.findDevice(ctx, c, r)
	case "error":
		if i.State.ErrorName == "ZtdDeviceAlreadyAssigned" { // to this tenant
			r.updated = false
			if err := s.findDevice(ctx, c, r); err != nil || r.device != "" {
				return Registration{}, err
			}
		}
		return Registration{}, fmt.Errorf("%w: the import failed with %d %s%s", ErrAutopilot, i.State.ErrorCode, plain(i.State.ErrorName), hint(i.State.ErrorName))
	}
	return Registration{State: Importing, Detail: "The hardware hash is being imported.", Wait: askAgain}, nil
}

// hint explains the errors of an import that people meet.
func hint(name string) string {
	switch name {
	case "ZtdDeviceAssignedToOtherTenant":
		return ": the device belongs to another organisation, which has to release it"
	case "ZtdDeviceAlreadyAssigned":
		return ": the device is registered in this tenant, and not shown under its serial number; synchronise Autopilot's devices in Intune"
	}
	return ""
}

func (s *Service) lookAtDevice(ctx context.Context, c *client, r *registration) (Registration, error) {
	var d identity
	if err := c.call(ctx, http.MethodGet, devicesPath+"/"+url.PathEscape(r.device), nil, &d); err != nil {
		if isStatus(err, http.StatusNotFound) {
			return Registration{State: Assigning, Detail: "The device is registered, and Intune does not show it yet.", Wait: askAgain}, nil
		}
		return Registration{}, err
	}
	if !r.updated {
		changed, err := s.update(ctx, c, r, d)
		if err != nil {
			return Registration{}, err
		}
		r.updated = true
		if changed { // what it says of its profile is from before
			return Registration{State: Assigning, Detail: "The registered device got its group tag and user.", Wait: askAgain}, nil
		}
	}
	switch d.Status {
	case "assignedInSync", "assignedOutOfSync", "assignedUnkownSyncState": // the reference's spelling
		return Registration{State: Assigned, Detail: "The device is registered and has its profile."}, nil
	case "failed":
		return Registration{}, fmt.Errorf("%w: the assignment of a profile failed", ErrAutopilot)
	}
	return Registration{State: Assigning, Detail: "The device is registered; a profile is not assigned yet.", Wait: askAgain}, nil
}

// update gives a device that was registered before the group tag and user that are
// asked for.
func (s *Service) update(ctx context.Context, c *client, r *registration, d identity) (changed bool, err error) {
	body := map[string]any{}
	if h := r.hardware; h.GroupTag != "" && h.GroupTag != d.GroupTag {
		body["groupTag"] = h.GroupTag
	}
	if h := r.hardware; h.User != "" && !strings.EqualFold(h.User, d.User) {
		body["userPrincipalName"] = h.User
	}
	if len(body) == 0 {
		return false, nil
	}
	return true, refusedHash(c.call(ctx, http.MethodPost, devicesPath+"/"+url.PathEscape(r.device)+"/updateDeviceProperties", body, nil))
}

func isStatus(err error, status int) bool {
	var answer *ResponseError
	return errors.As(err, &answer) && answer.Status == status
}
