package session

import (
	"context"
	"fmt"
	"time"

	"slipway/agent/internal/network"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// How long things may take before the page turns from a wait into a trouble.
const (
	adapterPatience = 4 * time.Second
	linkPatience    = 12 * time.Second
	leasePatience   = 25 * time.Second
	rescanEvery     = 10 * time.Second
)

// online waits until an adapter has an address and shows what is missing.
func (s *Session) online(ctx context.Context) error {
	started := s.Now()
	rescan := started.Add(rescanEvery)
	notice := screen.NewNotice("Starting", "Looking for the network", screen.Calm)
	shown := false
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		adapters := s.Network.Adapters()
		s.showAdapter(adapters)
		if ready(adapters) {
			return nil
		}
		if !s.settled() {
			started = s.Now()
		}
		if now := s.Now(); now.After(rescan) {
			rescan = now.Add(rescanEvery)
			s.Rescan()
		}
		s.Display.Touch(func() { s.describeOffline(notice, adapters, started, rescan) })
		if !shown {
			s.Display.Show(notice)
			shown = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.Changed:
		case <-ticker.C:
		case <-notice.Chosen():
			s.Rescan()
			started, rescan = s.Now(), s.Now().Add(rescanEvery)
		}
	}
}

func (s *Session) settled() bool {
	select {
	case <-s.Settled:
		return true
	default:
		return false
	}
}

func ready(adapters []network.Adapter) bool {
	return len(adapters) > 0 && adapters[0].State >= network.Leased
}

// describeOffline fills the notice for how the adapters stand.
func (s *Session) describeOffline(n *screen.Notice, adapters []network.Adapter, started, rescan time.Time) {
	now := s.Now()
	waited := now.Sub(started)
	n.List = nil
	for _, a := range adapters {
		n.List = append(n.List, a.Text(now))
	}
	hardware := s.Hardware()
	n.List = append(n.List, hardware...)
	n.Title, n.Tone, n.Until, n.Actions = "Starting", screen.Calm, time.Time{}, nil
	link, asking := false, false
	for _, a := range adapters {
		link = link || a.State != network.NoLink
		asking = asking || a.State == network.Asking
	}
	trouble := func(headline, text string) {
		n.Title, n.Headline, n.Text, n.Tone = "Network", headline, text, screen.Trouble
		n.Actions = []screen.Action{screen.ActionRetry()}
		n.Next, n.Until = "Looking again", rescan
	}
	switch {
	case s.environment() == wire.FullOS && waited > linkPatience:
		trouble("No network", "No adapter of this system has an address that others can reach. Looking goes on by itself.")
	case len(adapters) == 0 && waited > adapterPatience && s.environment() != wire.FullOS:
		trouble("No network adapter found", "This computer needs a wired network adapter that this boot image has a driver for. "+
			"A USB network adapter can be plugged in at any time.")
	case len(adapters) == 0:
		n.Headline, n.Text, n.Next = "Looking for network adapters", "", "Loading drivers"
		n.List = nil
	case !link && waited > linkPatience:
		text := "No adapter sees a link. Check the cable, the wall socket and the switch port."
		if len(hardware) > 0 { // most adapters run without a file of firmware, some do not
			text += " Or it is what stands below: build the boot image with the driver or firmware that is missing."
		}
		trouble("No network link", text)
	case asking && waited > leasePatience:
		trouble("No address from the network", "The link is up, but no DHCP server gives this computer an address. "+
			"Asking goes on by itself.")
	default:
		n.Headline, n.Text, n.Next = "Waiting for the network", "", "Asking for an address"
	}
}

// showAdapter keeps the page's facts about the network up to date.
func (s *Session) showAdapter(adapters []network.Adapter) {
	mac, address, note := "", "", "No network adapter is left"
	if len(adapters) > 0 {
		a := adapters[0]
		mac, note = a.MAC.String(), ""
		switch a.State {
		case network.Leased:
			address = a.Lease.Address.Addr().String()
		case network.Renewing:
			address = a.Lease.Address.Addr().String()
			note = fmt.Sprintf("The lease of %s is not renewed: its DHCP server does not answer", address)
		case network.NoLink:
			note = a.Name + " has no link. Is the cable plugged in?"
		default:
			note = a.Name + " has no address: asking for one"
		}
	}
	if f := s.Display.Facts(); f.MAC != mac || f.Address != address || f.Note != note {
		s.Display.SetFacts(func(f *screen.Facts) { f.MAC, f.Address, f.Note = mac, address, note })
	}
}

// watchNetwork keeps the facts up to date while other pages are shown.
func (s *Session) watchNetwork(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.showAdapter(s.Network.Adapters())
		}
	}
}

// macs lists the adapters' addresses for the device's claim.
func (s *Session) macs() []string {
	var list []string
	for _, a := range s.Network.Adapters() {
		list = append(list, a.MAC.String())
	}
	return list
}
