package netboot

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// leasing makes a server authoritative, and quick to look for others.
func leasing(kept Leases) func(*Config) {
	return func(c *Config) {
		c.DHCP.Subnets, c.DHCP.Leases = []Subnet{testSubnet()}, kept
		c.DHCP.times = watchTimes{settle: 200 * time.Millisecond, calm: time.Hour, alarm: 100 * time.Millisecond, gone: 600 * time.Millisecond}
	}
}

// reply returns the next answer of the server; its own probing is passed over.
func (w *wire) reply(wait time.Duration) (*packet, *dhcpv4.DHCPv4) {
	w.t.Helper()
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); {
		p := w.receive(time.Until(deadline))
		if p == nil {
			break
		}
		if m, err := parsePacket(p.payload); err == nil && m.OpCode == dhcpv4.OpcodeBootReply {
			return p, m
		}
	}
	return nil, nil
}

// ask sends a packet as a client without an address and returns the answer.
func (w *wire) ask(what string, q *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	w.t.Helper()
	w.send(fromFirmware, toAll, q.ToBytes())
	_, m := w.reply(patient)
	if m == nil {
		w.t.Fatalf("%s: no answer", what)
	}
	return m
}

func ordinary(mods ...func(*dhcpv4.DHCPv4)) *dhcpv4.DHCPv4 {
	return discover(append([]func(*dhcpv4.DHCPv4){option(60, "MSFT 5.0")}, mods...)...)
}

var selectsUs = option(54, "\x0a\x4d\x00\x02")

func requesting(a net.IP) func(*dhcpv4.DHCPv4) { return option(50, string(a.To4())) }

func TestServerLeases(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	kept := &memoryLeases{}
	s, _ := runServer(t, leasing(kept))
	request := messageType(dhcpv4.MessageTypeRequest)

	m := w.ask("ordinary DISCOVER", ordinary())
	if m.MessageType() != dhcpv4.MessageTypeOffer || m.YourIPAddr.String() != "10.77.0.100" || m.BootFileName != "" || vendorClass(m) != "" || m.Options.Has(dhcpv4.OptionVendorSpecificInformation) {
		t.Errorf("ordinary offer: %s", m.Summary())
	}
	if n, _ := kept.count(); n != 0 {
		t.Error("an offer was kept")
	}
	m = w.ask("ordinary REQUEST", ordinary(request, selectsUs, requesting(m.YourIPAddr)))
	if m.MessageType() != dhcpv4.MessageTypeAck || m.YourIPAddr.String() != "10.77.0.100" || !m.ServerIdentifier().Equal(net.IPv4(10, 77, 0, 2)) ||
		m.IPAddressLeaseTime(0) != time.Hour || m.IPAddressRenewalTime(0) != 30*time.Minute || m.IPAddressRebindingTime(0) != 3150*time.Second ||
		m.SubnetMask().String() != "ffffff00" || m.Router()[0].String() != "10.77.0.1" || len(m.DNS()) != 2 || m.DomainName() != "lab.example" {
		t.Errorf("ordinary acknowledgement: %s", m.Summary())
	}
	if n, writes := kept.count(); n != 1 || writes != 1 {
		t.Errorf("%d leases, %d writes", n, writes)
	}

	// Firmware and loader: the boot part stands in the same packets.
	boots := func(name string) {
		q := mustParse(t, readPacket(t, name))
		offer := w.ask(name, q)
		q.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
		q.UpdateOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier()))
		q.UpdateOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr))
		ack := w.ask(name, q)
		for _, m := range []*dhcpv4.DHCPv4{offer, ack} {
			if m.YourIPAddr.IsUnspecified() || !m.ServerIPAddr.Equal(net.IPv4(10, 77, 0, 2)) || m.BootFileName == "" ||
				!strings.HasPrefix(string(q.Options.Get(dhcpv4.OptionClassIdentifier)), vendorClass(m)) || !m.Options.Has(dhcpv4.OptionIPAddressLeaseTime) ||
				!bytes.Equal(m.Options.Get(dhcpv4.OptionClientMachineIdentifier), q.Options.Get(dhcpv4.OptionClientMachineIdentifier)) {
				t.Errorf("%s: %s", name, m.Summary())
			}
		}
		if ack.MessageType() != dhcpv4.MessageTypeAck || !ack.YourIPAddr.Equal(offer.YourIPAddr) || ack.BootFileName != offer.BootFileName {
			t.Errorf("%s: offered %s %s, acknowledged %s %s", name, offer.YourIPAddr, offer.BootFileName, ack.YourIPAddr, ack.BootFileName)
		}
	}
	boots("uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67")

	m = w.ask("agent", discover(option(60, ClassAgent), func(p *dhcpv4.DHCPv4) { p.ClientHWAddr[5] = 0xaa; p.ClientHWAddr[3], p.ClientHWAddr[4] = 0, 0 }))
	if m.YourIPAddr.String() != "10.77.0.50" || vendorClass(m) != ClassAgent || !strings.Contains(string(m.Options.Get(dhcpv4.GenericOptionCode(43))), "10.77.0.2:8443") {
		t.Errorf("agent: %s", m.Summary())
	}

	// Renewing goes to the address, without a broadcast.
	w.neighbour("10.77.0.100")
	renew := ordinary(request, func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = net.IP{10, 77, 0, 100} })
	w.send("10.77.0.100:68", "10.77.0.2:67", renew.ToBytes())
	p, m := w.reply(patient)
	if m == nil || p.to.String() != "10.77.0.100:68" || m.MessageType() != dhcpv4.MessageTypeAck || m.ClientIPAddr.String() != "10.77.0.100" {
		t.Fatalf("renewing: %v %v", p, m)
	}
	m = w.ask("reboot on another network", ordinary(request, option(50, "\xc0\x00\x02\x07")))
	if m.MessageType() != dhcpv4.MessageTypeNak || !m.YourIPAddr.IsUnspecified() || m.Options.Has(dhcpv4.OptionIPAddressLeaseTime) {
		t.Errorf("%s", m.Summary())
	}
	inform := ordinary(messageType(dhcpv4.MessageTypeInform), func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = net.IP{10, 77, 0, 9} })
	w.neighbour("10.77.0.9")
	w.send("10.77.0.9:68", toAll, inform.ToBytes())
	if p, m = w.reply(patient); m == nil || p.to.String() != "10.77.0.9:68" || m.MessageType() != dhcpv4.MessageTypeAck || !m.YourIPAddr.IsUnspecified() || m.Options.Has(dhcpv4.OptionIPAddressLeaseTime) || m.DomainName() == "" {
		t.Errorf("inform: %v", m)
	}
	// A boot server request on port 67 is the proxy's, as ever.
	w.send("10.77.0.100:68", "10.77.0.2:67", discover(request, selectsUs, func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = net.IP{10, 77, 0, 100} }).ToBytes())
	if _, m = w.reply(patient); m == nil || m.BootFileName != "snponly.efi" || !m.YourIPAddr.IsUnspecified() {
		t.Errorf("boot server: %v", m)
	}
	w.send("10.77.0.100:68", "10.77.0.2:67", ordinary(messageType(dhcpv4.MessageTypeRelease), selectsUs, func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = net.IP{10, 77, 0, 100} }).ToBytes())
	waitFor(t, "the release", func() bool { return s.Counters().Snapshot()["lease_releases"] == 1 })
	f, ok := s.LeaseFigures()
	n := s.Counters().Snapshot()
	if !ok || f.Active != 1 || n["lease_offers"] != 3 || n["lease_acks"] != 3 || n["lease_naks"] != 1 || n["lease_informs"] != 1 {
		t.Errorf("%+v, %v", f, n)
	}
}

// A silent device gets an address, and nothing of booting, in either packet.
func TestServerLeasesToSilentDevices(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	_, policy := runServer(t, leasing(&memoryLeases{}))
	asked := 0
	policy.set(func(Client) (*Boot, error) { // once silent, then not
		if asked++; asked == 1 {
			return nil, nil
		}
		return &Boot{Target: TargetDisk}, nil
	})
	offer := w.ask("DISCOVER", discover())
	ack := w.ask("REQUEST", discover(messageType(dhcpv4.MessageTypeRequest), selectsUs, requesting(offer.YourIPAddr)))
	for _, m := range []*dhcpv4.DHCPv4{offer, ack} {
		if m.YourIPAddr.IsUnspecified() || m.BootFileName != "" || vendorClass(m) != "" {
			t.Errorf("%s", m.Summary())
		}
	}
}

func TestServerLeasesThroughARelay(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "192.0.2.2/24")
	w.neighbour("192.0.2.1")
	runServer(t, leasing(&memoryLeases{}))
	q := discover(option(82, "\x01\x04port"), func(p *dhcpv4.DHCPv4) { p.GatewayIPAddr = net.IP{192, 0, 2, 1} })
	w.send("192.0.2.1:67", "192.0.2.2:67", q.ToBytes())
	if _, m := w.reply(patient); m == nil || !m.YourIPAddr.IsUnspecified() || m.BootFileName == "" {
		t.Errorf("a network that is not ours to number got %v", m)
	}
	q.GatewayIPAddr = net.IP{10, 77, 0, 1}
	q.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
	q.UpdateOption(dhcpv4.OptRequestedIPAddress(net.IP{192, 0, 2, 99}))
	to := netip.MustParsePrefix("10.77.0.0/24")
	route(t, to, "192.0.2.1")
	w.send("192.0.2.1:67", "192.0.2.2:67", q.ToBytes())
	p, m := w.reply(patient)
	if m == nil || m.MessageType() != dhcpv4.MessageTypeNak || p.to.String() != "10.77.0.1:67" || !m.IsBroadcast() || string(m.Options.Get(dhcpv4.GenericOptionCode(82))) != "\x01\x04port" {
		t.Errorf("%v to %v", m, p)
	}
	q.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeDiscover))
	w.send("192.0.2.1:67", "192.0.2.2:67", q.ToBytes())
	if p, m = w.reply(patient); m == nil || m.YourIPAddr.String() != "10.77.0.100" || p.to.String() != "10.77.0.1:67" || m.BootFileName != "snponly.efi" || !m.ServerIdentifier().Equal(net.IPv4(192, 0, 2, 2)) {
		t.Errorf("%v to %v", m, p)
	}
}

// Somebody answers ARP for the first address of the range: the next is offered.
func TestServerProbesBeforeOffering(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	w.answerARP("10.77.0.100", net.HardwareAddr{0x52, 0x54, 0, 1, 1, 1})
	s, _ := runServer(t, leasing(&memoryLeases{}), probingAgain)
	if m := w.ask("DISCOVER", ordinary()); m.YourIPAddr.String() != "10.77.0.102" {
		t.Errorf("offered %s", m.YourIPAddr)
	}
	f, _ := s.LeaseFigures()
	if n := s.Counters().Snapshot(); n["lease_conflicts"] != 1 || f.Quarantined != 1 {
		t.Errorf("%v, %+v", n, f)
	}
	// The client itself may still use its address.
	mine := ordinary().ClientHWAddr
	w.answerARP("10.77.0.102", mine)
	other := ordinary(func(p *dhcpv4.DHCPv4) { p.ClientHWAddr[5] = 9 }, requesting(net.IP{10, 77, 0, 102}))
	w.send(fromFirmware, toAll, other.ToBytes())
	if _, m := w.reply(time.Second); m != nil {
		t.Errorf("one address to two clients: %s", m.YourIPAddr)
	}
	if m := w.ask("again", ordinary()); m.YourIPAddr.String() != "10.77.0.102" {
		t.Errorf("offered %s", m.YourIPAddr)
	}
	reserved := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0xaa}
	w.answerARP("10.77.0.50", reserved)
	if m := w.ask("it answers itself", ordinary(func(p *dhcpv4.DHCPv4) { p.ClientHWAddr = reserved })); m.YourIPAddr.String() != "10.77.0.50" {
		t.Errorf("offered %s", m.YourIPAddr)
	}
}

// probingAgain makes a server probe each address up to four times: on a busy machine
// who uses it may answer a single probe too late.
func probingAgain(s *Server) {
	probe := s.leases.probe
	s.leases.probe = func(ctx context.Context, iface netInterface, a netip.Addr, mac []byte) (used bool, err error) {
		for try := 0; try < 4 && !used && err == nil; try++ {
			used, err = probe(ctx, iface, a, mac)
		}
		return used, err
	}
}

func route(t *testing.T, to netip.Prefix, by string) {
	t.Helper()
	dst := &net.IPNet{IP: to.Addr().AsSlice(), Mask: net.CIDRMask(to.Bits(), 32)}
	if err := netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(by)}); err != nil {
		t.Fatal(err)
	}
}

// answerARP makes the far end claim an address until the test ends.
func (w *wire) answerARP(addr string, mac net.HardwareAddr) {
	w.t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ARP)))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ARP), Ifindex: w.far}); err != nil {
		w.t.Fatal(err)
	}
	tv := unix.Timeval{Usec: 50_000}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.t.Cleanup(func() { cancel(); <-done; unix.Close(fd) })
	want := netip.MustParseAddr(addr).As4()
	go func() {
		defer close(done)
		buf := make([]byte, 128)
		for ctx.Err() == nil {
			n, from, err := unix.Recvfrom(fd, buf, 0)
			if err != nil || n < 28 || buf[7] != 1 || !bytes.Equal(buf[24:28], want[:]) {
				continue
			}
			answer := append([]byte{0, 1, 8, 0, 6, 4, 0, 2}, mac...)
			answer = append(append(append(answer, want[:]...), buf[8:14]...), buf[14:18]...)
			if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING {
				_ = unix.Sendto(fd, answer, 0, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ARP), Ifindex: w.far, Halen: 6, Addr: ll.Addr})
			}
		}
	}()
}

// foreignOffer is what another DHCP server sends to a client.
func foreignOffer(server net.IP) []byte {
	p := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, YourIPAddr: net.IP{10, 77, 0, 66}, ClientHWAddr: net.HardwareAddr{0x52, 0x54, 0, 9, 9, 9}, Options: dhcpv4.Options{}}
	p.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer))
	p.UpdateOption(dhcpv4.OptServerIdentifier(server))
	return p.ToBytes()
}

// Another DHCP server keeps us from starting, and its name is told.
func TestServerRefusesToStartBesideAnother(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // a server that answers whatever it hears
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if p := w.receive(20 * time.Millisecond); p != nil && p.to.Port() == 67 {
				w.send("10.77.0.9:67", "255.255.255.255:68", foreignOffer(net.IP{10, 77, 0, 9}))
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	start := func(force bool) error {
		dir := NewDir(t.TempDir())
		cfg := Config{Policy: &fakePolicy{}, Images: dir, Loaders: dir}
		leasing(&memoryLeases{})(&cfg)
		cfg.DHCP.times.settle = 8 * time.Second // or until the other server has answered
		cfg.DHCP.Force = force
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Listen(t.Context())
		if force && (len(s.Foreign()) != 1 || !s.Foreign()[0].Ignored) {
			t.Errorf("forced: %+v", s.Foreign())
		}
		if closing := s.Close(); closing != nil {
			t.Error(closing)
		}
		return err
	}
	err := start(false)
	if err == nil || !strings.Contains(err.Error(), "another DHCP server, 10.77.0.9, answers on srv0") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if err := start(true); err != nil {
		t.Errorf("forced: %v", err)
	}
}

// One that turns up later ends our offers, not the leases; when it has gone, they go on.
func TestServerStopsOfferingBesideAnother(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	s, _ := runServer(t, func(c *Config) {
		leasing(&memoryLeases{})(c)
		c.DHCP.times.gone = 5 * time.Second
	})
	a := w.ask("DISCOVER", ordinary()).YourIPAddr
	request := messageType(dhcpv4.MessageTypeRequest)
	w.ask("REQUEST", ordinary(request, selectsUs, requesting(a)))
	proxy := mustParse(t, foreignOffer(net.IP{10, 77, 0, 8}))
	proxy.YourIPAddr = net.IPv4zero
	for _, harmless := range [][]byte{proxy.ToBytes(), foreignOffer(net.IP{10, 77, 0, 2}), discover().ToBytes(), []byte("junk")} {
		w.send("10.77.0.9:67", "255.255.255.255:68", harmless)
	}
	time.Sleep(50 * time.Millisecond)
	if f := s.Foreign(); len(f) != 0 {
		t.Errorf("what is no other server counts: %+v", f)
	}
	waitFor(t, "the watch to see it", func() bool {
		w.send("10.77.0.9:67", "255.255.255.255:68", foreignOffer(net.IP{10, 77, 0, 9}))
		f := s.Foreign()
		return len(f) == 1 && f[0].Address.String() == "10.77.0.9" && f[0].Interface == "srv0"
	})
	gone, left := make(chan struct{}), make(chan struct{})
	leave := sync.OnceFunc(func() { close(gone); <-left })
	defer leave()
	go func() { // it is heard for as long as we look
		defer close(left)
		for {
			select {
			case <-gone:
				return
			case <-time.After(100 * time.Millisecond):
				w.send("10.77.0.9:67", "255.255.255.255:68", foreignOffer(net.IP{10, 77, 0, 9}))
			}
		}
	}()
	w.send(fromFirmware, toAll, ordinary(func(p *dhcpv4.DHCPv4) { p.ClientHWAddr[5] = 1 }).ToBytes())
	if _, m := w.reply(quick); m != nil {
		t.Errorf("an address was offered beside another server: %s", m.YourIPAddr)
	}
	w.send(fromFirmware, toAll, discover().ToBytes())
	if _, m := w.reply(patient); m == nil || !m.YourIPAddr.IsUnspecified() || m.BootFileName == "" {
		t.Errorf("beside another server we are a proxy: %v", m)
	}
	if m := w.ask("reboot with a lease", ordinary(request, requesting(a))); m.MessageType() != dhcpv4.MessageTypeAck {
		t.Errorf("a lease was not honoured: %s", m.MessageType())
	}
	leave()
	waitFor(t, "its end", func() bool { return len(s.Foreign()) == 0 })
	w.ask("DISCOVER after it has gone", ordinary())
}

// Beside another server a client that holds nothing of ours is that server's: it is
// neither refused its address nor confirmed in it. Our own are answered.
func TestServerLeavesTheClientsOfAnotherAlone(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	s, _ := runServer(t, func(c *Config) {
		leasing(&memoryLeases{})(c)
		c.DHCP.times.gone = time.Hour
	})
	request := messageType(dhcpv4.MessageTypeRequest)
	a := w.ask("DISCOVER", ordinary()).YourIPAddr
	w.ask("REQUEST", ordinary(request, selectsUs, requesting(a)))
	waitFor(t, "the watch to see it", func() bool {
		w.send("10.77.0.9:67", "255.255.255.255:68", foreignOffer(net.IP{10, 77, 0, 9}))
		return len(s.Foreign()) == 1
	})
	w.neighbour("10.77.0.102")
	another := func(p *dhcpv4.DHCPv4) { p.ClientHWAddr[5] = 7 }
	using := func(a net.IP) func(*dhcpv4.DHCPv4) { return func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = a } }
	for what, q := range map[string]*dhcpv4.DHCPv4{
		"INIT-REBOOT, another network":      ordinary(request, another, requesting(net.IP{192, 168, 5, 7})),
		"INIT-REBOOT, a lease of ours":      ordinary(request, another, requesting(a)),
		"REBINDING, another network":        ordinary(request, another, using(net.IP{192, 168, 5, 7})),
		"REBINDING, outside of our range":   ordinary(request, another, using(net.IP{10, 77, 0, 222})),
		"REBINDING, free in our range":      ordinary(request, another, using(net.IP{10, 77, 0, 102})),
		"REBINDING, of a client that moved": ordinary(request, using(net.IP{10, 77, 0, 102})),
	} {
		w.send(fromFirmware, toAll, q.ToBytes())
		if _, m := w.reply(quick); m != nil {
			t.Errorf("%s: answered %s", what, m.MessageType())
		}
	}
	if m := w.ask("INIT-REBOOT of our client", ordinary(request, requesting(a))); m.MessageType() != dhcpv4.MessageTypeAck {
		t.Errorf("our own client: %s", m.MessageType())
	}
	w.neighbour(a.String())
	w.send(a.String()+":68", toAll, ordinary(request, using(a)).ToBytes())
	if _, m := w.reply(patient); m == nil || m.MessageType() != dhcpv4.MessageTypeAck {
		t.Errorf("our own client, rebinding: %v", m)
	}
}

// The system of the disk and the agent have the address that the firmware was offered a
// moment ago. What the offer said of booting is not for them.
func TestTheBootPartIsOfItsOfferAlone(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	runServer(t, leasing(&memoryLeases{}))
	request := messageType(dhcpv4.MessageTypeRequest)
	q := mustParse(t, readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67"))
	offer := w.ask("firmware", q)
	q.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
	q.UpdateOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier()))
	q.UpdateOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr))
	if m := w.ask("firmware REQUEST", q); m.BootFileName != offer.BootFileName {
		t.Errorf("offered %q, acknowledged %q", offer.BootFileName, m.BootFileName)
	}
	mac := func(p *dhcpv4.DHCPv4) { p.ClientHWAddr = bytes.Clone(q.ClientHWAddr) }
	if m := w.ask("the system of the disk", ordinary(request, mac, requesting(offer.YourIPAddr))); m.MessageType() != dhcpv4.MessageTypeAck || vendorClass(m) != "" || m.BootFileName != "" {
		t.Errorf("the system of the disk: %s", m.Summary())
	}
	if m := w.ask("the agent", discover(option(60, ClassAgent), request, mac, requesting(offer.YourIPAddr))); m.MessageType() != dhcpv4.MessageTypeAck || vendorClass(m) != ClassAgent || m.BootFileName != "" {
		t.Errorf("the agent: %s", m.Summary())
	}
}

func FuzzLeasePackets(f *testing.F) {
	for _, name := range packetNames(f, "dhcp") {
		f.Add(readPacket(f, name), false)
	}
	for _, t := range []dhcpv4.MessageType{1, 3, 4, 7, 8} {
		q := ordinary(messageType(t), option(50, "\x0a\x4d\x00\x64"), option(61, "\xff\x00\x01"))
		f.Add(q.ToBytes(), true)
		f.Add(ordinary(messageType(t), selectsUs, func(p *dhcpv4.DHCPv4) { p.GatewayIPAddr, p.ClientIPAddr = net.IP{10, 77, 0, 1}, net.IP{10, 77, 0, 100} }).ToBytes(), false)
	}
	f.Add(foreignOffer(net.IP{10, 77, 0, 9}), false)
	f.Fuzz(func(t *testing.T, raw []byte, unicast bool) {
		foreignServer(raw)
		foreignServer(udpBroadcast(67, 68, raw))
		arpSender(raw, netip.MustParseAddr("10.77.0.100"))
		isEchoReply(raw, make([]byte, 16))
		q, err := parsePacket(raw)
		if err != nil || !usableMAC(q.ClientHWAddr) {
			return
		}
		st, ok := stageOf(q, unicast)
		if !ok {
			return
		}
		c := leaseClientOf(q)
		b := newPoolBench(t, &memoryLeases{})
		a, _, ok := b.offer(b.sub, c, address4(q.Options.Get(dhcpv4.OptionRequestedIPAddress)))
		if !ok || !b.sub.usable(a) || a == b.sub.Router || b.own(a) {
			t.Fatalf("offered %s", a)
		}
		if v, life := b.request(b.sub, c, a, stageSelecting); v != verdictAck || life != time.Hour {
			t.Fatalf("the offer of %s was not acknowledged", a)
		}
		b.request(b.sub, c, address4(q.ClientIPAddr), st)
		g := grant{messageType: dhcpv4.MessageTypeAck, address: a, life: time.Hour, server: testSite.addr, subnet: b.sub.Subnet}
		if bootClass(q) {
			if r, err := describe(q); err == nil {
				r.bootServer = false
				g.boot, _ = decide(r, testSite, &Boot{Target: TargetDisk}, "snponly.efi")
			}
		}
		out := mustParse(t, leaseReply(q, testSite, g).ToBytes())
		if out.TransactionID != q.TransactionID || !out.YourIPAddr.Equal(a.AsSlice()) || len(out.BootFileName) > 127 {
			t.Fatalf("%s", out.Summary())
		}
		leaseDestination(q, g.messageType, 68)
		nak := mustParse(t, leaseReply(q, testSite, grant{messageType: dhcpv4.MessageTypeNak, server: testSite.addr}).ToBytes())
		if !nak.YourIPAddr.IsUnspecified() || nak.Options.Has(dhcpv4.OptionIPAddressLeaseTime) {
			t.Fatal("a NAK with an address")
		}
	})
}

// On an interface that comes later, or comes back, nothing is offered before it was
// looked at, and what was seen there before does not count.
func TestServerLooksBeforeItOffersOnAnInterfaceThatComesLater(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s, _ := runServer(t, func(c *Config) {
		leasing(&memoryLeases{})(c)
		c.DHCP.times.settle = 5 * time.Second
		c.DHCP.times.gone = time.Hour
	})
	w := newWire(t, "srv0", "10.77.0.2/24")
	silent := func(when string) {
		t.Helper()
		id := dhcpv4.TransactionID([]byte(rand.Text())[:4]) // an answer to what was asked before may still be on its way
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
			w.send(fromFirmware, toAll, ordinary(func(p *dhcpv4.DHCPv4) { p.TransactionID = id }).ToBytes())
			if _, m := w.reply(100 * time.Millisecond); m != nil && m.TransactionID == id {
				t.Fatalf("%s: %s was offered before anybody looked for another server", when, m.YourIPAddr)
			}
		}
	}
	offers := func(when string) {
		t.Helper()
		waitFor(t, when+": an offer", func() bool {
			w.send(fromFirmware, toAll, ordinary().ToBytes())
			_, m := w.reply(100 * time.Millisecond)
			return m != nil
		})
	}
	silent("a new interface")
	offers("a new interface")
	waitFor(t, "the watch to see another server", func() bool {
		w.send("10.77.0.9:67", "255.255.255.255:68", foreignOffer(net.IP{10, 77, 0, 9}))
		return len(s.Foreign()) == 1
	})
	link, err := netlink.LinkByName("srv0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the other server to be forgotten", func() bool { return len(s.Foreign()) == 0 })
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "srv0 is up again", func() bool { return operational(t, "srv0") && operational(t, "srv0far") })
	silent("an interface that came back")
	offers("an interface that came back")
}

// What turns up while an address is probed counts: nothing is offered beside it.
func TestNothingIsOfferedOnceAnotherServerTurnedUpDuringTheProbe(t *testing.T) {
	for what, want := range map[string]int{"nothing": 1, "another server": 0, "the interface goes away": 0} {
		b := newPoolBench(t, &memoryLeases{})
		iface := netInterface{index: 1, name: "srv0", addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}}
		w := &watch{cfg: &Config{Now: time.Now}, log: slog.New(slog.DiscardHandler), serves: func(netInterface) bool { return true },
			segments: map[int]*segment{1: {looked: true}}}
		probe := func(context.Context, netInterface, netip.Addr, []byte) (bool, error) {
			switch what {
			case "another server":
				w.note(iface, netip.MustParseAddr("10.77.0.9"))
			case "the interface goes away":
				w.forget(iface)
			}
			return false, nil
		}
		cfg := &Config{Now: time.Now}
		l := &leaseServer{cfg: cfg, pool: b.pool, probe: probe, watch: w, log: w.log, count: &Counters{}, proxy: &proxy{cfg: cfg}}
		out := &sentPackets{}
		done, err := l.handle(t.Context(), job{datagram: datagram{ifIndex: 1, from: netip.MustParseAddrPort(fromFirmware), to: broadcastAddr}, socket: out}, iface, ordinary())
		if err != nil || !done || out.n != want {
			t.Errorf("%s: %d offers instead of %d (done %v, %v)", what, out.n, want, done, err)
		}
	}
}

// sentPackets counts what is sent.
type sentPackets struct {
	packetSocket
	n int
}

func (s *sentPackets) Send([]byte, netip.AddrPort, int, netip.Addr) error { s.n++; return nil }

// A client that moved with its lease to another network of ours is refused it there,
// when it asks anybody on that network.
func TestRebindingOnTheWrongNetwork(t *testing.T) {
	other := testSubnet()
	other.Prefix, other.First, other.Last = netip.MustParsePrefix("10.88.0.0/24"), netip.MustParseAddr("10.88.0.100"), netip.MustParseAddr("10.88.0.103")
	other.Router, other.DNS, other.Reservations = netip.Addr{}, nil, nil
	p, err := newPool(t.Context(), []Subnet{testSubnet(), other}, &memoryLeases{}, time.Now, func(netip.Addr) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	l := &leaseServer{pool: p}
	iface := netInterface{index: 1, addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}}
	q := ordinary(messageType(dhcpv4.MessageTypeRequest), func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = net.IP{10, 88, 0, 100} })
	from := netip.MustParseAddrPort("10.88.0.100:68")
	for to, want := range map[string]string{"255.255.255.255": "10.77.0.0/24", "10.77.0.2": "10.88.0.0/24"} {
		if sub := l.link(iface, job{datagram: datagram{from: from, to: netip.MustParseAddr(to)}}, q); sub == nil || sub.Prefix.String() != want {
			t.Errorf("sent to %s: taken to be on %v, not %s", to, sub, want)
		}
	}
}

// Two servers that answer in turn, as a pair does, are told of once.
func TestAPairOfOtherServersIsToldOnce(t *testing.T) {
	var text lockedBuffer
	w := &watch{cfg: &Config{Now: time.Now}, log: slog.New(slog.NewTextHandler(&text, nil)), segments: map[int]*segment{1: {looked: true}}}
	for i := range 10 {
		w.note(netInterface{index: 1, name: "srv0"}, netip.AddrFrom4([4]byte{10, 77, 0, byte(8 + i%2)}))
	}
	if n := strings.Count(text.String(), "\n"); n != 1 {
		t.Errorf("%d lines:\n%s", n, text.String())
	}
}
