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
	"slices"
	"strings"

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
		out, err = read(tx)
		return err
	})
	return out, err
}

func read(tx *state.Tx) (fleet.Settings, error) {
	v, err := tx.Settings().Get(key)
	if errors.Is(err, state.ErrNotFound) {
		return Default(), nil
	}
	return v, err
}

// Set checks and stores the settings, effective at once for whoever asks next.
// Errors wrap ErrInvalid or are those of the state.
func (s *Service) Set(ctx context.Context, actor, address string, v fleet.Settings) error {
	return s.Change(ctx, actor, address, func(now *fleet.Settings) { *now = v })
}

// Change is Set for some of the settings; the others stay as they are.
func (s *Service) Change(ctx context.Context, actor, address string, change func(*fleet.Settings)) error {
	var changed []string
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		before, err := read(tx)
		if err != nil {
			return err
		}
		v := before
		change(&v)
		if err := Validate(v); err != nil {
			return err
		}
		changed = differences(before, v)
		return tx.Settings().Put(v)
	})
	if err != nil {
		return err
	}
	e := fleet.AuditEntry{Actor: actor, Address: address, Action: "settings.changed", Outcome: "ok", Reason: strings.Join(changed, "; ")}
	if err := s.audit.Write(ctx, e); err != nil {
		slog.WarnContext(ctx, "audit entry was not written", "action", e.Action, "error", err)
	}
	return nil
}

// differences says what is changed, for the audit log.
func differences(before, v fleet.Settings) (out []string) {
	if v.Keyboard != before.Keyboard {
		out = append(out, fmt.Sprintf("keyboard %s, was %s", v.Keyboard, before.Keyboard))
	}
	if !slices.Equal(v.SharedMACs, before.SharedMACs) {
		out = append(out, fmt.Sprintf("sharedMacs %d, were %d", len(v.SharedMACs), len(before.SharedMACs)))
	}
	if v.PasscodeMaxAgeDays != before.PasscodeMaxAgeDays {
		out = append(out, fmt.Sprintf("passcodeMaxAgeDays %d, was %d", v.PasscodeMaxAgeDays, before.PasscodeMaxAgeDays))
	}
	return out
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
