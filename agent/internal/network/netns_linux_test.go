package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestRealAdapterInANamespace runs the manager against a DHCP server on the far
// end of a pair of virtual adapters, in a network namespace of its own: real
// sockets, addresses, routes. It needs root, as the product's own tests do.
func TestRealAdapterInANamespace(t *testing.T) {
	runtime.LockOSThread() // the thread is in the namespace; it is not unlocked, so it ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace (run the tests as root): %v", err)
	}
	srv := serveDHCP(t, addPair(t))
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	m := LinuxSystem{Kinds: []string{"veth"}, Resolve: resolv}

	// The library opens sockets on whatever thread runs: every call below that
	// needs the namespace is made here, on the locked thread.
	devices, err := m.Devices()
	if err != nil || len(devices) != 1 || devices[0].Name != "dev0" {
		t.Fatalf("devices %v, %v", devices, err)
	}
	nic := devices[0]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	events := make(chan Event, 64)
	leased := 0
	client := &Client{MAC: nic.MAC, Requested: netip.MustParseAddr("192.0.2.50"), Link: m.Link(nic), Tell: func(e Event) {
		if e.State == Leased {
			if err := m.Apply(nic, e.Lease, 100); err != nil {
				t.Errorf("apply: %v", err)
			}
			if leased++; leased == 3 { // the first one and two renewals
				cancel()
			}
		}
		events <- e
	}}
	if err := client.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v after %d leases of 8 s", err, leased)
	}
	close(events)
	for e := range events {
		if e.State != Leased || e.Lease.Address.String() != "192.0.2.50/24" {
			t.Errorf("lost the address: %+v", e)
		}
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if !srv.unicast {
		t.Error("no renewal came by unicast from the leased address")
	}
	checkRoute(t, nic)
	if err := m.NameServers([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, "example.org"); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(resolv); !strings.Contains(string(text), "search example.org\nnameserver 192.0.2.1\n") {
		t.Errorf("resolv.conf: %q", text)
	}
	if err := m.Remove(nic); err != nil {
		t.Error(err)
	}
	if link, _ := netlink.LinkByIndex(nic.Index); link != nil {
		if left, _ := netlink.AddrList(link, netlink.FAMILY_V4); len(left) != 0 {
			t.Errorf("addresses left: %v", left)
		}
	}
}

// TestPulledCableLeavesTheWayToTheOtherAdapter: both adapters have an address in the same
// network, and the cable of the one whose routes come first is pulled.
func TestPulledCableLeavesTheWayToTheOtherAdapter(t *testing.T) {
	runtime.LockOSThread() // as above
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace (run the tests as root): %v", err)
	}
	m := LinuxSystem{Kinds: []string{"veth"}}
	for _, n := range []string{"0", "1"} {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "dev" + n
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "far" + n}); err != nil {
			t.Fatal(err)
		}
		setFar(t, n, netlink.LinkSetUp)
	}
	devices, err := m.Devices()
	if err != nil {
		t.Fatal(err)
	}
	index := map[string]int{}
	for _, d := range devices {
		if !strings.HasPrefix(d.Name, "dev") {
			continue
		}
		index[d.Name] = d.Index
		n, _ := strings.CutPrefix(d.Name, "dev")
		l := Lease{Address: netip.MustParsePrefix("192.0.2.5" + n + "/24"), Routers: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
		metric := 100
		if n == "1" {
			metric = 101
		}
		if err := errors.Join(m.Up(d), m.Apply(d, l, metric)); err != nil {
			t.Fatal(err)
		}
	}
	way := func(to string, want int) {
		t.Helper()
		got := 0
		for range 100 { // the kernel notices a link some time later
			routes, err := netlink.RouteGet(net.ParseIP(to))
			if err == nil && len(routes) == 1 {
				if got = routes[0].LinkIndex; got == want {
					return
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("the way to %s is adapter %d, not %d", to, got, want)
	}
	way("198.51.100.7", index["dev0"])
	setFar(t, "0", netlink.LinkSetDown)
	way("198.51.100.7", index["dev1"])
	way("192.0.2.9", index["dev1"])
	setFar(t, "0", netlink.LinkSetUp)
	way("198.51.100.7", index["dev0"])
}

// setFar changes the far end of a pair: its adapter has a link while both are up.
func setFar(t *testing.T, n string, change func(netlink.Link) error) {
	t.Helper()
	link, err := netlink.LinkByName("far" + n)
	if err == nil {
		err = change(link)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// addPair makes a pair of virtual adapters in this namespace.
func addPair(t *testing.T) netlink.Link {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "dev0"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "srv0"}); err != nil {
		t.Fatal(err)
	}
	srv, err := netlink.LinkByName("srv0")
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

func checkRoute(t *testing.T, nic Device) {
	t.Helper()
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{LinkIndex: nic.Index}, netlink.RT_FILTER_OIF)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if r.Gw.Equal(net.IPv4(192, 0, 2, 1)) && r.Priority == 100 {
			return
		}
	}
	t.Errorf("no default route: %v", routes)
}

// realServer is a small DHCP server with an ordinary socket.
type realServer struct {
	mu      sync.Mutex
	unicast bool
}

// serveDHCP moves link into a second namespace and serves there.
func serveDHCP(t *testing.T, link netlink.Link) *realServer {
	t.Helper()
	s := &realServer{}
	namespace, moved := make(chan int), make(chan struct{})
	ready := make(chan error, 1)
	done := make(chan struct{})
	var conn net.PacketConn
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			ready <- err
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			ready <- err
			return
		}
		defer unix.Close(fd)
		namespace <- fd
		<-moved
		if conn, err = openServer(); err != nil {
			ready <- err
			return
		}
		ready <- nil
		s.serve(conn)
	}()
	select {
	case err := <-ready:
		t.Fatal(err)
	case fd := <-namespace:
		if err := netlink.LinkSetNsFd(link, fd); err != nil {
			t.Fatal(err)
		}
		close(moved)
	}
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	dev, err := netlink.LinkByName("dev0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(dev); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); <-done })
	return s
}

func openServer() (net.PacketConn, error) {
	link, err := netlink.LinkByName("srv0")
	if err != nil {
		return nil, err
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: serverID, Mask: net.CIDRMask(24, 32)}}); err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4bcast, Mask: net.CIDRMask(32, 32)}}); err != nil {
		return nil, err
	}
	return net.ListenUDP("udp4", &net.UDPAddr{Port: nclient4.ServerPort})
}

func (s *realServer) serve(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		m, err := dhcpv4.FromBytes(buf[:n])
		if err != nil || m.OpCode != dhcpv4.OpcodeBootRequest {
			continue
		}
		kind := dhcpv4.MessageTypeAck
		if m.MessageType() == dhcpv4.MessageTypeDiscover {
			kind = dhcpv4.MessageTypeOffer
		}
		to := &net.UDPAddr{IP: net.IPv4bcast, Port: nclient4.ClientPort}
		if renewing := from.(*net.UDPAddr).IP.Equal(net.IPv4(192, 0, 2, 50)); renewing {
			to = from.(*net.UDPAddr)
			s.mu.Lock()
			s.unicast = true
			s.mu.Unlock()
		}
		answer := reply(m, kind, dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 50)), seconds(dhcpv4.OptionIPAddressLeaseTime, 8),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverID)), dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
			dhcpv4.WithOption(dhcpv4.OptRouter(serverID)))
		_, _ = conn.WriteTo(answer.ToBytes(), to)
	}
}
