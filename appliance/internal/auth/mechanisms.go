package auth

import (
	"context"
	"fmt"

	"slipway/agent/wire"
	"slipway/fleet"
)

// Mechanisms are those this caller may try now, in order. The passcode is the
// only one in this version; it is offered also while none is set, and nothing is
// accepted then. An unknown environment is an *InvalidError.
func (s *Service) Mechanisms(_ context.Context, environment, _ string, _ Caller) ([]fleet.Mechanism, error) {
	if _, err := parseEnvironment(environment); err != nil {
		return nil, err
	}
	return []fleet.Mechanism{fleet.MechanismPasscode}, nil
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
