package graph

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
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
