package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"slipway/appliance/internal/config"
	"slipway/ui"
)

// health looks at the appliance's own parts, for the console and for /readyz.
type health struct{ a *appliance }

// Version implements ui.Health.
func (h *health) Version() string { return version }

// ready is nil when devices can be served and changes stored.
func (h *health) ready(context.Context) error { return h.a.store.Ready() }

// Checks implements ui.Health.
func (h *health) Checks(ctx context.Context) ([]ui.Check, error) {
	return []ui.Check{h.state(), h.interfaces(), h.dhcp(), h.loaders(ctx), h.image(), h.authority(ctx), h.forwarding(), h.disk()}, nil
}

func (h *health) state() ui.Check {
	if err := h.a.store.Ready(); err != nil {
		return ui.Check{Name: "State", State: ui.CheckFailed, Text: err.Error(), Next: "See the appliance's log."}
	}
	return ui.Check{Name: "State", State: ui.CheckOK, Text: "Changes are stored durably"}
}

// interfaces looks whether what the configuration names can be served.
func (h *health) interfaces() ui.Check {
	const name = "Network interfaces"
	served, missing, err := h.a.netboot.Interfaces()
	switch {
	case err != nil:
		return ui.Check{Name: name, State: ui.CheckFailed, Text: err.Error(), Next: "See the appliance's log."}
	case len(missing) > 0 && len(served) > 0:
		return ui.Check{Name: name, State: ui.CheckWarning, Text: fmt.Sprintf("Serving %s; not there, or down: %s", strings.Join(served, ", "), strings.Join(missing, ", ")), Next: nextInterface}
	case len(missing) > 0:
		return ui.Check{Name: name, State: ui.CheckFailed, Text: "Nobody is served: not there, or down: " + strings.Join(missing, ", "), Next: nextInterface}
	case len(served) == 0:
		return ui.Check{Name: name, State: ui.CheckWarning, Text: "Nobody is served: no interface is up", Next: "Bring one up: it is served from then on."}
	}
	if len(h.a.cfg.Interfaces) == 0 {
		return ui.Check{Name: name, State: ui.CheckOK, Text: fmt.Sprintf("Serving all that are up: %d", len(served))}
	}
	return ui.Check{Name: name, State: ui.CheckOK, Text: "Serving " + strings.Join(served, ", ")}
}

const nextInterface = "Bring it up: it is served from then on. Or correct interfaces in the configuration."

func (h *health) dhcp() ui.Check {
	if h.a.cfg.DHCP.Mode == config.ModeOff {
		return ui.Check{Name: "proxyDHCP", State: ui.CheckOff, Text: "Switched off in the configuration"}
	}
	if h.a.cfg.DHCP.Mode == config.ModeAuthoritative {
		return h.leases()
	}
	n := h.a.netboot.Counters().Snapshot()
	return ui.Check{Name: "proxyDHCP", State: ui.CheckOK,
		Text: fmt.Sprintf("Answering on ports %d and %d; %d requests heard, %d answered", h.a.cfg.DHCP.Port, h.a.cfg.DHCP.PXEPort, n["dhcp_received"], n["dhcp_offers"]+n["dhcp_acks"])}
}

// leases is the DHCP line of an appliance that hands out addresses.
func (h *health) leases() ui.Check {
	c := ui.Check{Name: "DHCP", State: ui.CheckOK}
	f, _ := h.a.netboot.LeaseFigures()
	c.Text = fmt.Sprintf("%d of %d addresses leased", f.Active, f.Addresses)
	if f.Quarantined > 0 {
		c.Text += fmt.Sprintf(", %d left out because somebody else uses them", f.Quarantined)
	}
	if f.Active+f.Quarantined >= f.Addresses && f.Addresses > 0 {
		c.State, c.Next = ui.CheckWarning, "Make the ranges larger, or the lease times shorter."
	}
	for _, o := range h.a.netboot.Foreign() {
		if o.Ignored {
			c.State, c.Next = ui.CheckWarning, "Two servers hand out addresses there: see that their ranges differ."
			c.Text += fmt.Sprintf("; another DHCP server, %s, is on %s", o.Address, o.Interface)
			continue
		}
		c.State, c.Next = ui.CheckFailed, "Stop the other server, or set dhcp.mode to proxy."
		c.Text += fmt.Sprintf("; none is offered on %s, because another DHCP server, %s, is there", o.Interface, o.Address)
	}
	return c
}

// lowDisk is the free space below which the console warns, in bytes.
const lowDisk = 2 << 30

func (h *health) disk() ui.Check {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(h.a.cfg.Data, &fs); err != nil {
		return ui.Check{Name: "Disk", State: ui.CheckFailed, Text: err.Error(), Next: "Check the data folder."}
	}
	free := int64(fs.Bavail) * int64(fs.Bsize)
	c := ui.Check{Name: "Disk", State: ui.CheckOK, Text: fmt.Sprintf("%.1f GB free in the data folder", float64(free)/1e9)}
	if free < lowDisk {
		c.State, c.Next = ui.CheckWarning, "Free some space: writes stop when the disk is full."
	}
	return c
}
