//go:build winetest

package main

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"slipway/agent/internal/network"
)

// replaceMachine takes away what of the machine that runs the tests must not be seen
// or changed: its clock, its adapters and its disks. All else is as in the real program.
func replaceMachine(m *machineParts, log *slog.Logger) {
	m.network = loopback{}
	m.setClock = func(t time.Time) error {
		log.Info("the clock would be set", "to", t)
		return nil
	}
}

// loopback is an adapter that has an address.
type loopback struct{}

func (loopback) Adapters() []network.Adapter {
	return []network.Adapter{{Name: "Ethernet", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0x77}, State: network.Leased,
		Lease: network.Lease{Address: netip.MustParsePrefix("127.0.0.1/8")}}}
}
