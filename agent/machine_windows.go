package main

import (
	"log/slog"
	"time"

	"slipway/agent/internal/session"
	"slipway/agent/internal/winsys"
)

// machineParts are what of the machine a test replaces.
type machineParts struct {
	network  session.Network
	setClock func(time.Time) error
}

// machine is this machine, unless the program was built for the tests under Wine.
func machine(log *slog.Logger) machineParts {
	m := machineParts{network: winsys.Network{}, setClock: winsys.SetClock}
	replaceMachine(&m, log)
	return m
}
