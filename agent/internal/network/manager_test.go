package network

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// machine is a fake System with adapters that come, go and lose their cable.
type machine struct {
	mu      sync.Mutex
	devices []Device
	servers map[int]*server
	applied map[int]string
	dns     []netip.Addr
}

func (m *machine) Devices() ([]Device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Device(nil), m.devices...), nil
}
func (m *machine) Up(Device) error { return nil }
func (m *machine) Apply(d Device, l Lease, _ int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied[d.Index] = l.Address.String()
	return nil
}
func (m *machine) Remove(d Device) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.applied, d.Index)
	return nil
}
func (m *machine) NameServers(dns []netip.Addr, _ string) error { m.dns = dns; return nil }
func (m *machine) Link(d Device) Link                           { return m.servers[d.Index] }

func (m *machine) set(devices ...Device) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.devices = devices
}

func device(index int, carrier bool) Device {
	return Device{Name: "eth" + string(rune('0'+index)), Index: index, MAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(index)}, Carrier: carrier}
}

func TestManagerThroughADevicesLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, alive := newServer(), newServer()
		dead.silent = true
		alive.address = net.IPv4(192, 0, 2, 60)
		m := &machine{servers: map[int]*server{1: dead, 2: alive}, applied: map[int]string{}}
		var changes atomic.Int64
		manager := &Manager{System: m, Log: slog.New(slog.DiscardHandler), Notify: func() { changes.Add(1) }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = manager.Run(ctx) }()

		time.Sleep(time.Second)
		if len(manager.Adapters()) != 0 {
			t.Error("adapters out of nothing")
		}
		m.set(device(1, true), device(2, true)) // in parallel: the dead one must not hold up the other
		time.Sleep(3 * time.Second)
		a := manager.Adapters()
		if len(a) != 2 || a[0].Name != "eth2" || a[0].State != Leased || a[1].State != Asking || m.applied[2] != "192.0.2.60/24" {
			t.Errorf("got %+v, applied %v", a, m.applied)
		}
		m.set(device(1, true), device(2, false)) // the cable is pulled
		time.Sleep(time.Second)
		if a := manager.Adapters(); a[1].State != NoLink || !strings.Contains(a[1].Text(time.Now()), "cable") {
			t.Errorf("got %+v", a)
		}
		alive.set(func() { alive.known = true })
		m.set(device(1, true), device(2, true)) // and put back: the same address is asked for
		time.Sleep(3 * time.Second)
		if a := manager.Adapters(); a[0].State != Leased || alive.seen[len(alive.seen)-1] != "reboot" {
			t.Errorf("got %+v after %v", a, alive.seen)
		}
		m.set(device(2, true)) // the other adapter is unplugged
		time.Sleep(time.Second)
		if a := manager.Adapters(); len(a) != 1 {
			t.Errorf("got %+v", a)
		}
		if changes.Load() == 0 {
			t.Error("nobody was told")
		}
		cancel()
		<-done
	})
}

// A cable that comes back in another network: the address from before goes when it is
// refused, or when it hides an adapter that has one. Where it is all there is it stays.
func TestAddressOfANetworkThatIsLeft(t *testing.T) {
	for _, tt := range []struct {
		name          string
		refuse, other bool
		stays         bool
	}{{"alone", false, false, true}, {"refused", true, false, false}, {"beside another", false, true, false}} {
		synctest.Test(t, func(t *testing.T) {
			first, second := newServer(), newServer()
			second.address = net.IPv4(192, 0, 2, 60)
			m := &machine{servers: map[int]*server{1: first, 2: second}, applied: map[int]string{}}
			manager := &Manager{System: m, Log: slog.New(slog.DiscardHandler), Notify: func() {}}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); _ = manager.Run(ctx) }()
			plug := func(carrier bool) {
				if tt.other {
					m.set(device(1, carrier), device(2, true))
				} else {
					m.set(device(1, carrier))
				}
				time.Sleep(10 * time.Second)
			}
			plug(true)
			plug(false)
			if m.applied[1] == "" {
				t.Errorf("%s: the address went with the cable", tt.name)
			}
			first.set(func() { first.silent, first.refuse = !tt.refuse, tt.refuse })
			plug(true)
			m.mu.Lock()
			if stays := m.applied[1] != ""; stays != tt.stays || tt.other && m.applied[2] == "" {
				t.Errorf("%s: applied %v", tt.name, m.applied)
			}
			m.mu.Unlock()
			cancel()
			<-done
		})
	}
}

func TestLeaseIsForTheLoadersAdapter(t *testing.T) {
	m := &Manager{BootIF: net.HardwareAddr{2, 0, 0, 0, 0, 1}, Lease: netip.MustParseAddr("192.0.2.9")}
	own, other := &runner{device: device(1, true)}, &runner{device: device(2, true)}
	if m.requested(own) != m.Lease || m.requested(other).IsValid() {
		t.Errorf("asks for %v and %v", m.requested(own), m.requested(other))
	}
}
