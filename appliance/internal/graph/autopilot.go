package graph

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"slipway/fleet"
)

// The calls of Autopilot.
const (
	importsPath = "/v1.0/deviceManagement/importedWindowsAutopilotDeviceIdentities"
	devicesPath = "/beta/deviceManagement/windowsAutopilotDeviceIdentities" // v1.0 does not tell of the assignment
)

// Hardware is a device to register.
type Hardware struct {
	Serial   string // as Windows names it (Win32_BIOS)
	Hash     string // base64, of MDM_DevDetail_Ext01
	GroupTag string
	User     string // user principal name; empty: none
}

// The states of a registration.
const (
	Importing = "importing" // the hash was taken, and is being worked on
	Assigning = "assigning" // the device is registered; no profile yet
	Assigned  = "assigned"  // it has a profile: done
)

// Registration is how far a device has come.
type Registration struct {
	State  string
	Detail string        // a sentence for people
	Wait   time.Duration // until it is worth asking again; zero once it is done
}

// Bounds.
const (
	askAgain         = 20 * time.Second
	maxRegistrations = 10_000
	forgetAfter      = 48 * time.Hour
	maxHash          = 16 << 10 // bytes; usual are 4,000 characters
	maxWord          = 256
)

// registration is what is remembered of one on its way. After a restart of the
// appliance it is found again by the serial number.
type registration struct {
	hardware Hardware
	touched  time.Time
	imported string // id of the import
	device   string // id of the registered device
	updated  bool   // group tag and user are what was asked for
	busy     bool   // a call is at work on it
}

// Register brings the registration of a device one step on: it is called again, with
// the same hardware, until it is Assigned. key names the deployment; one registers one
// device. Trouble that passes is no error but a Registration to be asked for again.
// Errors: *InvalidError, ErrNotSet, ErrSignIn, ErrDenied, ErrAutopilot.
func (s *Service) Register(ctx context.Context, key, device string, h Hardware) (Registration, error) {
	if err := h.check(); err != nil {
		return Registration{}, err
	}
	c, err := s.current(ctx)
	if err != nil {
		return Registration{}, err
	}
	r, err := s.take(key, h)
	if err != nil {
		return passing(r, Registration{}, err)
	}
	was := r
	defer func() { s.give(key, r) }()
	out, err := s.advance(ctx, c, &r)
	s.tell(ctx, device, was, r, out, err)
	return passing(r, out, err)
}

// passing makes an answer of trouble that passes.
func passing(r registration, out Registration, err error) (Registration, error) {
	var throttled *ThrottledError
	state := Importing
	if r.device != "" {
		state = Assigning
	}
	switch {
	case errors.As(err, &throttled):
		return Registration{State: state, Detail: sentence(err), Wait: max(throttled.After, askAgain)}, nil
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return Registration{State: state, Detail: sentence(err), Wait: askAgain}, nil
	case err != nil:
		return Registration{}, fmt.Errorf("autopilot: %w", err)
	}
	return out, nil
}

// current is the client of the settings in force: a change drops tokens.
func (s *Service) current(ctx context.Context) (*client, error) {
	v, err := s.Settings(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil && reflect.DeepEqual(s.settings, v) {
		return s.client, nil
	}
	c, err := s.connect(v)
	if err != nil {
		return nil, err
	}
	if s.client != nil {
		s.client.http.CloseIdleConnections()
	}
	s.client, s.settings = c, v
	return c, nil
}

// take takes what is remembered of a registration. While one call is at work on it,
// another waits for its turn, so that no hash is handed in twice.
func (s *Service) take(key string, h Hardware) (registration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for k, r := range s.registrations {
		if now.Sub(r.touched) > forgetAfter {
			delete(s.registrations, k)
		}
	}
	r, ok := s.registrations[key]
	switch {
	case !ok && len(s.registrations) >= maxRegistrations:
		return registration{}, &ThrottledError{time.Minute}
	case !ok:
		r = &registration{hardware: h}
		s.registrations[key] = r
	case r.hardware != h:
		return *r, &InvalidError{"serialNumber", "This deployment registers another device, or the same one with another group tag or user, already."}
	case r.busy:
		return *r, &ThrottledError{askAgain}
	}
	r.touched, r.busy = now, true
	return *r, nil
}

func (s *Service) give(key string, r registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.busy = false
	s.registrations[key] = &r
}

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

func (h Hardware) check() error {
	hash, err := base64.StdEncoding.DecodeString(h.Hash)
	switch {
	case h.Serial == "" || !word(h.Serial):
		return &InvalidError{"serialNumber", "The serial number is missing, or no text of one line."}
	case err != nil || len(hash) == 0 || len(h.Hash) > maxHash:
		return &InvalidError{"hardwareHash", "The hardware hash is not base64, or larger than 16 KiB."}
	case !word(h.GroupTag):
		return &InvalidError{"groupTag", "The group tag is no text of one line with 256 bytes at most."}
	case !word(h.User) || h.User != "" && !strings.Contains(h.User, "@"):
		return &InvalidError{"assignedUser", "The user is no user principal name, e.g. ada@contoso.example."}
	}
	return nil
}

func word(text string) bool { return len(text) <= maxWord && text == plain(text) }

// tell keeps in the audit log what happened in the tenant.
func (s *Service) tell(ctx context.Context, device string, was, is registration, out Registration, err error) {
	e := fleet.AuditEntry{Actor: "device", Device: device, Object: plain(is.hardware.Serial), Outcome: "ok"}
	var throttled *ThrottledError
	switch {
	case errors.As(err, &throttled), errors.Is(err, ErrUnavailable):
		return
	case err != nil:
		e.Action, e.Outcome, e.Reason = "autopilot.failed", "error", plain(err.Error())
	case out.State == Assigned:
		e.Action = "autopilot.registered"
	case was.imported == "" && is.imported != "" && is.updated:
		e.Action, e.Reason = "autopilot.imported", is.hardware.GroupTag
	case !was.updated && is.updated:
		e.Action, e.Reason = "autopilot.updated", is.hardware.GroupTag
	default:
		return
	}
	s.note(ctx, e)
}
