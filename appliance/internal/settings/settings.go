// Package settings keeps the general settings that administrators change while
// the appliance runs (fleet.Settings). What must be known before a socket opens
// is configuration (package config); sign-in settings belong to package auth.
package settings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// ErrInvalid is wrapped by errors that say which setting cannot be taken.
var ErrInvalid = errors.New("not valid")

// key of the one record.
const key = "self"

// Default is what holds until an administrator changes it.
func Default() fleet.Settings {
	return fleet.Settings{Keyboard: "us", PasscodeMaxAgeDays: 180}
}

// Auditor is the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Service reads and changes the settings. It is safe for concurrent use.
type Service struct {
	store *state.Store
	audit Auditor
}

// New returns the service over a store.
func New(store *state.Store, audit Auditor) *Service { return &Service{store: store, audit: audit} }

// Get returns the settings in force.
func (s *Service) Get(context.Context) (out fleet.Settings, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		out, err = tx.Settings().Get(key)
		if errors.Is(err, state.ErrNotFound) {
			out, err = Default(), nil
		}
		return err
	})
	return out, err
}

// Set checks and stores the settings, effective at once for whoever asks next.
// Errors wrap ErrInvalid or are those of the state.
func (s *Service) Set(ctx context.Context, actor string, v fleet.Settings) error {
	if err := Validate(v); err != nil {
		return err
	}
	if err := s.store.Update(ctx, func(tx *state.Tx) error { return tx.Settings().Put(v) }); err != nil {
		return err
	}
	e := fleet.AuditEntry{Actor: actor, Action: "settings.changed", Outcome: "ok"}
	if err := s.audit.Write(ctx, e); err != nil {
		slog.WarnContext(ctx, "audit entry was not written", "action", e.Action, "error", err)
	}
	return nil
}

var keyboardForm = regexp.MustCompile(`^[a-z]{2,8}$`)

// Bounds of the settings.
const (
	maxSharedMACs = 1000
	maxAgeDays    = 3650
)

// Validate names the first setting that cannot be taken.
func Validate(v fleet.Settings) error {
	if !keyboardForm.MatchString(v.Keyboard) {
		return fmt.Errorf("%w: keyboard: %q is not a layout, e.g. us or de", ErrInvalid, v.Keyboard)
	}
	if v.PasscodeMaxAgeDays < 0 || v.PasscodeMaxAgeDays > maxAgeDays {
		return fmt.Errorf("%w: passcodeMaxAgeDays: 0 (never) to %d days", ErrInvalid, maxAgeDays)
	}
	if len(v.SharedMACs) > maxSharedMACs {
		return fmt.Errorf("%w: sharedMacs: %d addresses, %d allowed", ErrInvalid, len(v.SharedMACs), maxSharedMACs)
	}
	for _, m := range v.SharedMACs {
		if hw, err := net.ParseMAC(m); err != nil || len(hw) != 6 {
			return fmt.Errorf("%w: sharedMacs: %q is not a MAC address", ErrInvalid, m)
		}
	}
	return nil
}
