package netboot

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
)

// runServer starts the whole server on the well-known ports.
// The last functions see it between Listen and Run.
func runServer(t *testing.T, change func(*Config), listening ...func(*Server)) (*Server, *fakePolicy) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"undionly.kpxe", "snponly.efi"} {
		write(t, filepath.Join(dir, name), []byte("loader "+name))
	}
	policy := &fakePolicy{}
	cfg := Config{Policy: policy, Images: NewDir(dir), Loaders: NewDir(dir)}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	for _, f := range listening {
		f(s)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run does not end")
		}
	})
	return s, policy
}

const (
	quick   = 300 * time.Millisecond // in which nothing may come
	patient = 20 * time.Second       // in which something must, on a busy machine too
)

func expectReply(t *testing.T, w *wire, what string) (*packet, *dhcpv4.DHCPv4) {
	t.Helper()
	return replyOf(t, w.receive(patient), what)
}

// askAgain repeats a request as firmware does: an interface that has just come is
// passed over for interfacesRest.
func askAgain(t *testing.T, w *wire, raw []byte, what string) (*packet, *dhcpv4.DHCPv4) {
	t.Helper()
	for range 20 {
		w.send(fromFirmware, toAll, raw)
		if p := w.receive(2 * interfacesRest); p != nil {
			return replyOf(t, p, what)
		}
	}
	return replyOf(t, nil, what)
}

func replyOf(t *testing.T, p *packet, what string) (*packet, *dhcpv4.DHCPv4) {
	t.Helper()
	if p == nil {
		t.Fatalf("%s: no answer", what)
	}
	m := mustParse(t, p.payload)
	if !m.YourIPAddr.IsUnspecified() {
		t.Errorf("%s: a lease of %s", what, m.YourIPAddr)
	}
	return p, m
}

const fromFirmware, toAll = "0.0.0.0:68", "255.255.255.255:67"

func TestServerDHCP(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	s, policy := runServer(t, nil)

	w.send(fromFirmware, toAll, readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67"))
	p, m := expectReply(t, w, "EDK2")
	if p.from.String() != "10.77.0.2:67" || p.to.String() != "255.255.255.255:68" || m.BootFileName != "snponly.efi" || m.MessageType() != dhcpv4.MessageTypeOffer {
		t.Errorf("EDK2: %s -> %s, %s %q", p.from, p.to, m.MessageType(), m.BootFileName)
	}
	if c, _ := policy.first(); c.Server != netip.MustParseAddr("10.77.0.2") || c.MAC.String() != "52:54:00:00:00:03" {
		t.Errorf("the policy was asked for %+v", c)
	}
	w.send(fromFirmware, toAll, readPacket(t, "bios-ipxe-rom-virtio-discover-ipxe-67"))
	if _, m = expectReply(t, w, "iPXE"); !strings.HasPrefix(m.BootFileName, "http://10.77.0.2:8080/boot/script/525400000001?") {
		t.Errorf("iPXE: %q", m.BootFileName)
	}
	w.send(fromFirmware, toAll, readPacket(t, "uefi-http-boot-option67-discover-firmware-67"))
	if _, m = expectReply(t, w, "HTTP Boot"); m.BootFileName != "http://10.77.0.2:8080/boot/loaders/snponly.efi" {
		t.Errorf("HTTP Boot: %q", m.BootFileName)
	}
	w.send(fromFirmware, toAll, discover(option(60, ClassAgent)).ToBytes())
	if _, m = expectReply(t, w, "agent"); !strings.Contains(string(m.Options.Get(dhcpv4.GenericOptionCode(43))), "10.77.0.2:8443") {
		t.Errorf("agent: %v", m)
	}

	// The boot server port answers where it was asked from.
	w.neighbour("10.77.0.166")
	w.send("10.77.0.166:4011", "10.77.0.2:4011", readPacket(t, "uefi-edk2-pxe-direct-offer-then-4011-request-firmware-4011"))
	p, m = expectReply(t, w, "boot server")
	if p.from.String() != "10.77.0.2:4011" || p.to.String() != "10.77.0.166:4011" || m.MessageType() != dhcpv4.MessageTypeAck || m.BootFileName != "snponly.efi" {
		t.Errorf("boot server: %s -> %s, %s %q", p.from, p.to, m.MessageType(), m.BootFileName)
	}

	for name, raw := range map[string][]byte{
		"ordinary DISCOVER": discover(option(60, "MSFT 5.0")).ToBytes(),
		"lease REQUEST":     readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-request-firmware-67"),
		"lease of iPXE":     readPacket(t, "bios-ipxe-rom-virtio-request-ipxe-67"),
		"arm64, no loader":  readPacket(t, "arm64-edk2-pxe-discover-firmware-67"),
		"junk":              []byte("not DHCP at all"),
	} {
		w.send(fromFirmware, toAll, raw)
		if p := w.receive(quick); p != nil {
			t.Errorf("%s was answered: %s -> %s", name, p.from, p.to)
		}
	}
	passed := func(what string, silent int64) {
		t.Helper()
		waitFor(t, what, func() bool {
			n := s.Counters().Snapshot()
			return n["dhcp_ignored"] == 3 && n["dhcp_malformed"] == 1 && n["dhcp_errors"] == 2 && n["dhcp_silent"] == silent
		})
		if p := w.receive(quick); p != nil {
			t.Errorf("%s: answered after all: %s -> %s", what, p.from, p.to)
		}
	}
	passed("what is not for us", 0)
	policy.set(func(Client) (*Boot, error) { return nil, nil })
	w.send(fromFirmware, toAll, readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67"))
	passed("a silent device", 1)
	n := s.Counters().Snapshot()
	if n["dhcp_offers"] != 4 || n["dhcp_acks"] != 1 || n["dhcp_silent"] != 1 || n["dhcp_ignored"] != 3 || n["dhcp_malformed"] != 1 {
		t.Errorf("counters %v", n)
	}
}

// A relayed request is answered to the relay, by the route.
func TestServerRelay(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	w.neighbour("10.77.0.1")
	if err := netlink.RouteAdd(&netlink.Route{Gw: net.IPv4(10, 77, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	runServer(t, nil)
	q := discover(option(82, "\x01\x04port"), func(p *dhcpv4.DHCPv4) { p.GatewayIPAddr = net.IP{192, 0, 2, 1} })
	w.send("192.0.2.1:67", "10.77.0.2:67", q.ToBytes())
	p, m := expectReply(t, w, "relay")
	if p.to.String() != "192.0.2.1:67" || p.from.String() != "10.77.0.2:67" || m.BootFileName != "snponly.efi" || !m.ServerIPAddr.Equal(net.IPv4(10, 77, 0, 2)) {
		t.Errorf("%s -> %s, %q from %s", p.from, p.to, m.BootFileName, m.ServerIPAddr)
	}
}

// Each interface is answered with its own address; those not listed not at all.
func TestServerInterfaces(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	raw := readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67")
	one, two := newWire(t, "srv0", "10.77.0.2/24"), newWire(t, "srv1", "10.78.0.2/24")
	t.Run("all", func(t *testing.T) {
		runServer(t, nil)
		late := newWire(t, "srv2", "10.79.0.2/24") // comes after the start
		wires := map[*wire]string{one: "10.77.0.2", two: "10.78.0.2", late: "10.79.0.2"}
		for w, addr := range wires {
			p, m := askAgain(t, w, raw, addr)
			if p.from.Addr().String() != addr || !m.ServerIPAddr.Equal(net.ParseIP(addr)) || !m.ServerIdentifier().Equal(net.ParseIP(addr)) {
				t.Errorf("%s answered from %s with %s", addr, p.from, m.ServerIPAddr)
			}
		}
		for w, addr := range wires {
			p := w.receive(50 * time.Millisecond)
			for p != nil && p.from.Addr().String() == addr { // to one that was asked again too early
				p = w.receive(50 * time.Millisecond)
			}
			if p != nil {
				t.Errorf("an answer on the wrong wire: %s -> %s", p.from, p.to)
			}
		}
	})
	t.Run("listed", func(t *testing.T) {
		runServer(t, func(c *Config) { c.Interfaces = []string{"srv1"}; c.Advertise = netip.MustParseAddr("192.0.2.99") })
		one.send(fromFirmware, toAll, raw)
		if p := one.receive(quick); p != nil {
			t.Errorf("an interface that is not listed was answered: %s", p.from)
		}
		two.send(fromFirmware, toAll, raw)
		p, m := expectReply(t, two, "srv1")
		if p.from.Addr().String() != "10.78.0.2" || !m.ServerIPAddr.Equal(net.ParseIP("192.0.2.99")) {
			t.Errorf("from %s with %s", p.from, m.ServerIPAddr)
		}
	})
}

// An interface of the configuration that is not there, or down, is told of, once, and
// served when it comes up.
func TestServerInterfacesThatComeLater(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	var text lockedBuffer
	s, _ := runServer(t, func(c *Config) {
		c.Interfaces = []string{"srv0", "srv1"}
		c.Logger = slog.New(slog.NewTextHandler(&text, nil))
	})
	told := func(words string, want ...string) {
		t.Helper()
		waitFor(t, words, func() bool { return strings.Count(text.String(), words) == len(want) })
		for _, name := range want {
			if !strings.Contains(text.String(), words+"\" interface="+name) {
				t.Errorf("%s: nothing is said of %s:\n%s", words, name, text.String())
			}
		}
	}
	const gone, there = "nobody is served on it until it comes up", "an interface of the configuration came up: it is served"
	told(gone, "srv0", "srv1")
	if served, missing, err := s.Interfaces(); err != nil || len(served) != 0 || !slices.Equal(missing, []string{"srv0", "srv1"}) {
		t.Errorf("%v, %v, %v", served, missing, err)
	}
	w := newWire(t, "srv1", "10.77.0.2/24")
	if p, _ := askAgain(t, w, readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67"), "srv1"); p.from.Addr().String() != "10.77.0.2" {
		t.Errorf("answered from %s", p.from)
	}
	if served, missing, err := s.Interfaces(); err != nil || !slices.Equal(served, []string{"srv1"}) || !slices.Equal(missing, []string{"srv0"}) {
		t.Errorf("%v, %v, %v", served, missing, err)
	}
	told(there, "srv1")
	told(gone, "srv0", "srv1")
}

// A standing mistake is told, but does not fill the log.
func TestServerWarnsOfMissingLoaders(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t, "srv0", "10.77.0.2/24")
	var text lockedBuffer
	s, _ := runServer(t, func(c *Config) {
		c.Loaders = NewDir(filepath.Join(t.TempDir(), "not-there-yet"))
		c.Logger = slog.New(slog.NewTextHandler(&text, nil))
	})
	for range 5 {
		w.send(fromFirmware, toAll, readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67"))
	}
	w.send(fromFirmware, toAll, readPacket(t, "bios-ipxe-lkrn-plain-userclass-discover-firmware-67"))
	waitFor(t, "six requests handled", func() bool { return s.Counters().Snapshot()["dhcp_errors"] == 6 })
	if n := strings.Count(text.String(), "no loader for it is here"); n != 2 {
		t.Errorf("%d warnings:\n%s", n, text.String())
	}
	// An iPXE that can load by HTTP needs no loader.
	w.send(fromFirmware, toAll, readPacket(t, "bios-ipxe-rom-virtio-discover-ipxe-67"))
	expectReply(t, w, "iPXE")
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestListenErrors(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	busy := func(port int) {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	dir := NewDir(t.TempDir())
	listen := func(c Config) error {
		c.Policy, c.Images, c.Loaders = &fakePolicy{}, dir, dir
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Listen(t.Context())
		return errors.Join(err, s.Close())
	}
	if err := listen(Config{}); err != nil {
		t.Fatalf("nothing else runs: %v", err)
	}
	for port, want := range map[int]string{
		67:   "DHCP: UDP port 67 is in use by another program",
		4011: "DHCP: UDP port 4011 is in use by another program",
		69:   "TFTP: UDP port 69 is in use by another program",
	} {
		busy(port)
		cfg := Config{DHCP: DHCPConfig{Off: port == 69}, TFTP: TFTPConfig{Off: port != 69}}
		if port == 4011 {
			cfg.DHCP.Port = 6767
		}
		err := listen(cfg)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("port %d: %v", port, err)
		}
	}
	err := listen(Config{DHCP: DHCPConfig{Off: true}, TFTP: TFTPConfig{Listen: netip.MustParseAddrPort("192.0.2.1:69")}})
	if err == nil || !strings.Contains(err.Error(), "does not have the configured address") {
		t.Errorf("foreign address: %v", err)
	}
}

func TestListenErrorForPermission(t *testing.T) {
	err := listenError("UDP", 67, &net.OpError{Op: "listen", Err: errPermission{}})
	if !strings.Contains(err.Error(), "no permission to listen on UDP port 67: run as root or give the program CAP_NET_BIND_SERVICE") {
		t.Error(err)
	}
}

// errPermission is what os.ErrPermission matches.
type errPermission struct{}

func (errPermission) Error() string        { return "permission denied" }
func (errPermission) Is(target error) bool { return target.Error() == "permission denied" }

func TestValidate(t *testing.T) {
	dir := NewDir(".")
	good := Config{Policy: &fakePolicy{}, Images: dir, Loaders: dir}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"advertise: :: is not":        func(c *Config) { c.Advertise = netip.IPv6Unspecified() },
		"advertise: 0.0.0.0":          func(c *Config) { c.Advertise = netip.IPv4Unspecified() },
		`interfaces: "a b" is not`:    func(c *Config) { c.Interfaces = []string{"a b"} },
		"dhcp.pxe_port: must differ":  func(c *Config) { c.DHCP.Port, c.DHCP.PXEPort = 67, 67 },
		"tftp.listen: :: is not":      func(c *Config) { c.TFTP.Listen = netip.MustParseAddrPort("[::]:69") },
		"no boot policy":              func(c *Config) { c.Policy = nil },
		"no files given":              func(c *Config) { c.Loaders = nil },
		"limits must not be negative": func(c *Config) { c.TFTP.Slots = -1 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := New(c); err == nil {
			t.Errorf("%s: New took it", want)
		}
	}
}
