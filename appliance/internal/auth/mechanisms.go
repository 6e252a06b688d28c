package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// offered is what may be tried in an environment, in order. The environment is a
// claim of the caller: it narrows the offer, it proves nothing.
func offered(v fleet.SignIn, passcodeSet bool, environment string) []fleet.Mechanism {
	full := environment == wire.FullOS
	var out []fleet.Mechanism
	if v.Anonymous {
		out = append(out, fleet.MechanismAnonymous)
	}
	if v.Certificate.Enabled && full {
		out = append(out, fleet.MechanismCertificate)
	}
	if v.Entra.Enabled {
		out = append(out, fleet.MechanismEntra)
	}
	// Entra ID takes the passcode from booted devices; certificates never do.
	passcode := !v.Entra.Enabled
	if full {
		passcode = v.PasscodeInFullOS || !v.Entra.Enabled && !v.Certificate.Enabled
	}
	if passcode && (passcodeSet || len(out) == 0) {
		out = append(out, fleet.MechanismPasscode)
	}
	return out
}

// passcodeSet reports whether any passcode is accepted now.
func passcodeSet(tx *state.Tx, now time.Time) bool {
	for p := range tx.Passcodes().All() {
		if p.Hash != "" && (p.ExpiresAt.IsZero() || now.Before(p.ExpiresAt)) && (p.MaxUses == 0 || p.Uses < p.MaxUses) {
			return true
		}
	}
	return false
}

// offer reads what is offered now.
func (s *Service) offer(environment string) (list []fleet.Mechanism, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		v, err := signIn(tx)
		list = offered(v, passcodeSet(tx, s.now()), environment)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("auth: read sign-in settings: %w", err)
	}
	return list, nil
}

// Mechanisms are those this caller may try now, in order. The passcode is offered
// also while nothing is configured; nothing is accepted then. An unknown
// environment is an *InvalidError.
func (s *Service) Mechanisms(_ context.Context, environment, _ string, _ Caller) ([]fleet.Mechanism, error) {
	environment, err := parseEnvironment(environment)
	if err != nil {
		return nil, err
	}
	return s.offer(environment)
}

// mayUse is ErrNotAllowed unless the mechanism may be tried in the environment.
// A passcode that is the last resort may be tried, and is refused as wrong.
func (s *Service) mayUse(environment string, m fleet.Mechanism) error {
	list, err := s.offer(environment)
	if err != nil {
		return err
	}
	if slices.Contains(list, m) {
		return nil
	}
	if m == fleet.MechanismPasscode {
		v, err := s.SignInSettings(context.Background())
		if err != nil {
			return err
		}
		if slices.Contains(offered(v, true, environment), m) {
			return nil // allowed, though none is set
		}
	}
	return ErrNotAllowed
}

// SignInAnonymous lets in whoever asks, while that is switched on, as fast as sign-ins
// at a provider may begin: each is a record. ErrNotAllowed, *ThrottledError.
func (s *Service) SignInAnonymous(ctx context.Context, environment string, claim fleet.Claim, caller Caller) (token string, expires time.Time, err error) {
	environment, err = parseEnvironment(environment)
	if err != nil {
		return "", time.Time{}, err
	}
	if err := s.mayUse(environment, fleet.MechanismAnonymous); err != nil {
		s.refuse(ctx, "anonymous.refused", newSubject(caller, claim), "not switched on")
		return "", time.Time{}, err
	}
	if held := s.anonymous.begin(newSubject(caller, claim), s.now()); held != nil {
		s.refuse(ctx, "anonymous.refused", newSubject(caller, claim), "throttled: "+held.Scope)
		return "", time.Time{}, held
	}
	return s.admit(ctx, proof{mechanism: fleet.MechanismAnonymous, actor: "anonymous", action: "anonymous.accepted"}, environment, claim, caller)
}

// parseEnvironment checks an environment; empty means the Linux boot image.
func parseEnvironment(s string) (string, error) {
	switch s {
	case "":
		return wire.LinuxPE, nil
	case wire.LinuxPE, wire.WinPE, wire.FullOS:
		return s, nil
	}
	return "", &InvalidError{
		Field:  "environment",
		Detail: fmt.Sprintf("must be %s, %s or %s", wire.LinuxPE, wire.WinPE, wire.FullOS),
	}
}

// mechanismWords name the mechanisms for people.
var mechanismWords = map[fleet.Mechanism]string{
	fleet.MechanismAnonymous: "nothing (anyone may deploy)", fleet.MechanismCertificate: "a certificate",
	fleet.MechanismEntra: "Entra ID", fleet.MechanismPasscode: "the passcode",
}

// previewText says in a sentence what offered means for a device.
func previewText(environment string, list []fleet.Mechanism, passcodeSet bool) string {
	where := map[string]string{wire.LinuxPE: "A device booted into the Linux boot image", wire.WinPE: "A device booted into WinPE", wire.FullOS: "An installed system"}[environment]
	switch {
	case list[0] == fleet.MechanismAnonymous:
		return where + " is asked for nothing: anyone at it may run every task sequence."
	case list[0] == fleet.MechanismPasscode && !passcodeSet:
		return where + " is asked for a passcode, and nothing is accepted: none is set."
	}
	words := make([]string, len(list))
	for i, m := range list {
		words[i] = mechanismWords[m]
	}
	if len(words) == 1 {
		return where + " is asked for " + words[0] + "."
	}
	return where + " is asked for " + words[0] + "; when that fails, for " + strings.Join(words[1:], ", then ") + "."
}

// Preview tells what a device that is booted now would be asked, and an installed
// system.
func (s *Service) Preview(context.Context) ([]fleet.SignInPreview, error) {
	var out []fleet.SignInPreview
	err := s.store.View(func(tx *state.Tx) error {
		v, err := signIn(tx)
		set := passcodeSet(tx, s.now())
		for _, environment := range []string{wire.LinuxPE, wire.WinPE, wire.FullOS} {
			list := offered(v, set, environment)
			if len(list) == 0 {
				continue
			}
			out = append(out, fleet.SignInPreview{Environment: environment, Mechanisms: list, Text: previewText(environment, list, set)})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("auth: read sign-in settings: %w", err)
	}
	return out, nil
}
