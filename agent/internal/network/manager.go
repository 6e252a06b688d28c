package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Adapter is a wired adapter as it stands now.
type Adapter struct {
	Name      string
	MAC       net.HardwareAddr
	State     State
	Lease     Lease
	Appliance string // as the appliance's offer on this adapter named it
	Since     time.Time
	Err       error
}

// Text says in one line how the adapter stands.
func (a Adapter) Text(now time.Time) string {
	who := fmt.Sprintf("%s (%s)", a.Name, a.MAC)
	switch a.State {
	case NoLink:
		return who + ": no link. Is the cable plugged in?"
	case Asking:
		text := fmt.Sprintf("%s: asking for an address for %d s", who, int(now.Sub(a.Since).Seconds()))
		if a.Err != nil {
			text += "; " + a.Err.Error()
		}
		return text
	case Renewing:
		return fmt.Sprintf("%s: %s, but its DHCP server does not answer renewals", who, a.Lease.Address)
	}
	return fmt.Sprintf("%s: %s", who, a.Lease.Address)
}

// Device is an adapter that the system has.
type Device struct {
	Name    string
	Index   int
	MAC     net.HardwareAddr
	Carrier bool
}

// System is what the manager does to the machine.
type System interface {
	Devices() ([]Device, error) // wired ones only
	Up(Device) error
	Apply(d Device, l Lease, metric int) error
	Remove(Device) error // all addresses and routes that Apply gave
	NameServers(dns []netip.Addr, domain string) error
	Link(Device) Link
}

// Manager runs every wired adapter in parallel.
type Manager struct {
	System System
	Log    *slog.Logger
	BootIF net.HardwareAddr // the loader's adapter
	Lease  netip.Addr       // and the address it had there
	Notify func()           // called after every change, from any goroutine; must not block

	mu       sync.Mutex
	adapters map[int]*runner
	naming   sync.Mutex // two adapters may get their addresses at once
}

type runner struct {
	adapter Adapter
	device  Device
	cancel  context.CancelFunc
	done    chan struct{}
	carrier chan bool
	applied bool // the system has its address; only the DHCP client's goroutine looks at it
}

// How often adapters and their links are looked at: more often at the start, where
// somebody waits for the challenge and nothing else tells that a link came up.
const (
	scanEvery = 300 * time.Millisecond
	scanFirst = 30 * time.Millisecond
	firstTime = 20 * time.Second // at most, and until there is an address
)

// Run keeps all adapters until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, r := range m.adapters {
			<-r.done
		}
	}()
	for start := time.Now(); ; {
		if devices, err := m.System.Devices(); err != nil {
			m.Log.Warn("list network adapters", "error", err)
		} else {
			m.scan(ctx, devices)
		}
		wait := scanEvery
		if time.Since(start) < firstTime && !m.online() {
			wait = scanFirst
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// online reports whether any adapter has an address.
func (m *Manager) online() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.adapters {
		if r.adapter.State >= Leased {
			return true
		}
	}
	return false
}

// scan starts adapters that are new, stops those that went and tells carriers.
func (m *Manager) scan(ctx context.Context, devices []Device) {
	m.mu.Lock()
	if m.adapters == nil {
		m.adapters = map[int]*runner{}
	}
	present := map[int]bool{}
	var fresh, gone []*runner
	for _, d := range devices {
		present[d.Index] = true
		r, known := m.adapters[d.Index]
		if !known {
			r = &runner{device: d, done: make(chan struct{}), carrier: make(chan bool, 1),
				adapter: Adapter{Name: d.Name, MAC: d.MAC, Since: time.Now()}}
			m.adapters[d.Index] = r
			fresh = append(fresh, r)
		}
		tellLatest(r.carrier, d.Carrier)
	}
	for index, r := range m.adapters {
		if !present[index] {
			delete(m.adapters, index)
			gone = append(gone, r)
		}
	}
	m.mu.Unlock()
	for _, r := range fresh {
		m.Log.Info("network adapter", "name", r.device.Name, "mac", r.device.MAC.String())
		var child context.Context
		child, r.cancel = context.WithCancel(ctx)
		go m.keep(child, r)
	}
	for _, r := range gone {
		r.cancel()
		<-r.done
	}
	if len(fresh)+len(gone) > 0 {
		m.Notify()
	}
}

func tellLatest(ch chan bool, v bool) {
	select {
	case <-ch:
	default:
	}
	ch <- v // only this goroutine sends: there is room
}

// keep brings an adapter up and runs its DHCP client while there is a link.
func (m *Manager) keep(ctx context.Context, r *runner) {
	defer close(r.done)
	if err := m.System.Up(r.device); err != nil {
		m.Log.Warn("switch adapter on", "name", r.device.Name, "error", err)
	}
	stop := func() {}
	defer func() { stop() }()
	on := false
	for {
		select {
		case <-ctx.Done():
			return
		case carrier := <-r.carrier:
			if carrier == on {
				continue
			}
			on = carrier
			stop()
			stop = func() {}
			if on {
				stop = m.startClient(ctx, r)
			} else {
				m.change(r, Event{State: NoLink})
			}
		}
	}
}

// startClient starts the DHCP client and returns what stops it.
func (m *Manager) startClient(ctx context.Context, r *runner) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	client := &Client{MAC: r.device.MAC, Link: m.System.Link(r.device), Requested: m.requested(r),
		Tell: func(e Event) { m.apply(r, e) }}
	m.change(r, Event{State: Asking})
	go func() {
		defer close(done)
		_ = client.Run(ctx) // ends with ctx only
	}()
	return func() { cancel(); <-done }
}

// requested is the address to ask for: the one held before the link went, or
// the one the loader had on this adapter.
func (m *Manager) requested(r *runner) netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := r.adapter.Lease.Address.Addr(); a.IsValid() {
		return a
	}
	if m.BootIF == nil || slices.Equal(m.BootIF, r.device.MAC) {
		return m.Lease
	}
	return netip.Addr{}
}

// apply puts a client's event into the system, then tells it.
func (m *Manager) apply(r *runner, e Event) {
	var err error
	switch e.State {
	case Leased:
		err = m.System.Apply(r.device, e.Lease, 100+r.device.Index)
		r.applied = true
		m.Log.Info("address", "adapter", r.device.Name, "lease", e.Lease.String(), "seconds", int(e.Lease.Expiry.Seconds()))
	case Asking:
		if m.held(r) || r.applied && m.useless(e.Err) {
			err = m.System.Remove(r.device)
			r.applied = false
			m.Log.Warn("address lost", "adapter", r.device.Name, "error", e.Err)
		}
	}
	if err != nil {
		m.Log.Warn("set up adapter", "name", r.device.Name, "error", err)
		e.Err = err
	}
	m.change(r, e)
	if e.State == Leased {
		m.nameServers()
	}
}

// useless says whether the address from before the link was lost has to go: its network
// refuses it, or nobody answers there and its routes would hide another adapter's.
// Otherwise it stays: connections survive a cable that was out for a moment.
func (m *Manager) useless(why error) bool {
	return errors.Is(why, errNak) || why != nil && m.online()
}

func (m *Manager) held(r *runner) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.adapter.State >= Leased
}

func (m *Manager) change(r *runner, e Event) {
	m.mu.Lock()
	a := &r.adapter
	if a.State != e.State {
		a.Since = time.Now()
	}
	a.State, a.Err = e.State, e.Err
	if e.State >= Leased {
		a.Lease = e.Lease
	}
	if e.Appliance != "" {
		a.Appliance = e.Appliance
	}
	m.mu.Unlock()
	m.Notify()
}

func (m *Manager) nameServers() {
	m.naming.Lock()
	defer m.naming.Unlock()
	var dns []netip.Addr
	domain := ""
	for _, a := range m.Adapters() {
		if a.State < Leased {
			continue
		}
		for _, addr := range a.Lease.DNS {
			if !slices.Contains(dns, addr) {
				dns = append(dns, addr)
			}
		}
		if domain == "" {
			domain = a.Lease.Domain
		}
	}
	if err := m.System.NameServers(dns, domain); err != nil {
		m.Log.Warn("set name servers", "error", err)
	}
}

// Adapters returns all wired adapters as they stand, the loader's first, then
// those with an address.
func (m *Manager) Adapters() []Adapter {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Adapter
	for _, r := range m.adapters {
		list = append(list, r.adapter)
	}
	rank := func(a Adapter) int {
		switch {
		case a.State >= Leased && m.BootIF != nil && slices.Equal(a.MAC, m.BootIF):
			return 0
		case a.State >= Leased:
			return 1
		case a.State == Asking:
			return 2
		}
		return 3
	}
	slices.SortFunc(list, func(a, b Adapter) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return slices.Compare(a.MAC, b.MAC)
	})
	return list
}
