package netboot

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Every captured packet is either one of ours with a known platform, or the
// REQUEST for a lease, which belongs to the ordinary DHCP server.
func TestClassifyCaptured(t *testing.T) {
	for _, name := range packetNames(t, "dhcp") {
		p := mustParse(t, readPacket(t, name))
		bootPort := strings.HasSuffix(name, "-4011")
		r, err := classify(p, bootPort)
		if strings.Contains(name, "-request-") && !bootPort {
			if !errors.Is(err, errNotOurs) {
				t.Errorf("%s: a REQUEST for a lease must be left alone, got %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := expectPlatform(name)
		if r.client.Arch != want.arch || r.client.Firmware != want.firmware {
			t.Errorf("%s: %s/%s, want %s/%s", name, r.client.Arch, r.client.Firmware, want.arch, want.firmware)
		}
		ipxe := strings.Contains(name, "-ipxe-") && !strings.Contains(name, "userclass")
		if loader := r.kind == kindLoader; loader != ipxe || r.http != ipxe {
			t.Errorf("%s: loader %v with HTTP %v, want %v", name, loader, r.http, ipxe)
		}
		if r.bootServer != bootPort {
			t.Errorf("%s: boot server request = %v", name, r.bootServer)
		}
		if r.client.UUID != "" {
			t.Errorf("%s: UUID %q from zeros", name, r.client.UUID)
		}
	}
}

func expectPlatform(name string) platform {
	switch {
	case strings.HasPrefix(name, "arm64"):
		return platform{ArchARM64, UEFI}
	case strings.HasPrefix(name, "bios"):
		return platform{ArchX64, BIOS}
	case strings.HasPrefix(name, "uefi-http"):
		return platform{ArchX64, UEFIHTTP}
	}
	return platform{ArchX64, UEFI}
}

func TestPlatformOf(t *testing.T) {
	none := platform{}
	for _, c := range []struct {
		option []byte
		class  string
		want   platform
	}{
		{[]byte{0, 0}, "PXEClient", platform{ArchX64, BIOS}},
		{[]byte{0, 6}, "PXEClient", platform{ArchX86, UEFI}},
		{[]byte{0, 7}, "PXEClient", platform{ArchX64, UEFI}},
		{[]byte{0, 9}, "PXEClient", platform{ArchX64, UEFI}},
		{[]byte{0, 11}, "PXEClient", platform{ArchARM64, UEFI}},
		{[]byte{0, 15}, "HTTPClient", platform{ArchX86, UEFIHTTP}},
		{[]byte{0, 16}, "HTTPClient", platform{ArchX64, UEFIHTTP}},
		{[]byte{0, 19}, "HTTPClient", platform{ArchARM64, UEFIHTTP}},
		{[]byte{0, 7}, "HTTPClient:Arch:00007", platform{ArchX64, UEFIHTTP}}, // the class wins
		{[]byte{0, 16}, "PXEClient:Arch:00016", platform{ArchX64, UEFI}},
		// Missing or nonsense: the text of option 60.
		{nil, "PXEClient:Arch:00007:UNDI:003000", platform{ArchX64, UEFI}},
		{[]byte{7}, "PXEClient:Arch:00009:UNDI:003000", platform{ArchX64, UEFI}},
		{[]byte{0xff, 0xff}, "PXEClient:Arch:00011:UNDI:003000", platform{ArchARM64, UEFI}},
		{[]byte{0xff, 0xff, 0, 7}, "PXEClient", platform{ArchX64, UEFI}},
		{nil, "PXEClient", platform{ArchX64, BIOS}},
		{nil, "HTTPClient", none},
		{[]byte{0, 99}, "PXEClient", none},
		{nil, "PXEClient:Arch:xyz", none},
		{nil, "PXEClient:Arch:99999999", none},
	} {
		got, ok := platformOf(c.option, c.class)
		if got != c.want || ok != (c.want != none) {
			t.Errorf("platformOf(% x, %q) = %v, %v; want %v", c.option, c.class, got, ok, c.want)
		}
	}
}

func TestUserClassEncodings(t *testing.T) {
	for in, want := range map[string][]string{
		"iPXE":            {"iPXE"}, // bare, as iPXE sends it
		"\x04iPXE":        {"iPXE"}, // RFC 3004
		"\x03foo\x04iPXE": {"foo", "iPXE"},
		"\x04iPX":         {"\x04iPX"},
		"\x00iPXE":        {"\x00iPXE"},
		"":                nil,
	} {
		if got := userClasses([]byte(in)); !slices.Equal(got, want) {
			t.Errorf("userClasses(%q) = %q, want %q", in, got, want)
		}
	}
}

// discover makes a packet in the way a test needs it.
func discover(mods ...func(*dhcpv4.DHCPv4)) *dhcpv4.DHCPv4 {
	p := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, TransactionID: dhcpv4.TransactionID{1, 2, 3, 4},
		ClientHWAddr: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}, Options: dhcpv4.Options{},
	}
	p.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeDiscover))
	p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClassIdentifier, []byte("PXEClient:Arch:00007:UNDI:003000")))
	for _, m := range mods {
		m(p)
	}
	q, err := dhcpv4.FromBytes(p.ToBytes()) // as it looks after its way over the wire
	if err != nil {
		panic(err)
	}
	return q
}

func option(code uint8, v string) func(*dhcpv4.DHCPv4) {
	return func(p *dhcpv4.DHCPv4) { p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), []byte(v))) }
}

func messageType(m dhcpv4.MessageType) func(*dhcpv4.DHCPv4) {
	return func(p *dhcpv4.DHCPv4) { p.UpdateOption(dhcpv4.OptMessageType(m)) }
}

// What an ordinary DHCP server must answer alone is never matched.
func TestMatchLeavesOrdinaryDHCP(t *testing.T) {
	ciaddr := func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = net.IP{10, 77, 0, 9} }
	request := messageType(dhcpv4.MessageTypeRequest)
	us, other := option(54, "\x0a\x4d\x00\x02"), option(54, "\x0a\x4d\x00\x01")
	cases := []struct {
		name     string
		packet   *dhcpv4.DHCPv4
		bootPort bool
		ours     bool
	}{
		{"discover", discover(), false, true},
		{"http class", discover(option(60, "HTTPClient:Arch:00016:UNDI:003000")), false, true},
		{"agent", discover(option(60, "SlipwayAgent")), false, true},
		{"agent with a NUL", discover(option(60, "SlipwayAgent\x00")), false, true},
		{"boot server on 67", discover(request, ciaddr, us), false, true},
		{"boot server on 4011", discover(request), true, true},

		{"no class", discover(option(60, "")), false, false},
		{"other class", discover(option(60, "MSFT 5.0")), false, false},
		{"agent's request", discover(option(60, "SlipwayAgent"), request), false, false},
		{"agent's longer class", discover(option(60, "SlipwayAgent2")), false, false},
		{"selecting", discover(request, option(50, "\x0a\x4d\x00\x09"), us), false, false},
		{"rebinding", discover(request, ciaddr), false, false},
		{"boot server elsewhere", discover(request, ciaddr, other), false, false},
		{"discover on 4011", discover(), true, false},
		{"inform", discover(messageType(dhcpv4.MessageTypeInform), ciaddr), false, false},
		{"release", discover(messageType(dhcpv4.MessageTypeRelease)), false, false},
		{"reply", discover(func(p *dhcpv4.DHCPv4) { p.OpCode = dhcpv4.OpcodeBootReply }), false, false},
		{"multicast MAC", discover(func(p *dhcpv4.DHCPv4) { p.ClientHWAddr[0] = 1 }), false, false},
		{"zero MAC", discover(func(p *dhcpv4.DHCPv4) { p.ClientHWAddr = make([]byte, 6) }), false, false},
		{"infiniband MAC", discover(func(p *dhcpv4.DHCPv4) { p.ClientHWAddr = make([]byte, 16) }), false, false},
	}
	for _, c := range cases {
		r, err := classify(c.packet, c.bootPort)
		ours := err == nil && r.directedAt(testSite.addr, c.bootPort)
		if ours != c.ours {
			t.Errorf("%s: ours = %v (%v), want %v", c.name, ours, err, c.ours)
		}
		if err != nil && !errors.Is(err, errNotOurs) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Some ROMs omit the End option, and some pad after it.
func TestMissingEndOption(t *testing.T) {
	raw := readPacket(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67")
	end := len(raw) - 1
	for raw[end] == 0 {
		end--
	}
	if raw[end] != 255 {
		t.Fatal("the captured packet does not end with End")
	}
	for name, packet := range map[string][]byte{"without End": raw[:end], "padded": append(slices.Clone(raw), 0, 0, 0)} {
		r, err := classify(mustParse(t, packet), false)
		if err != nil || r.client.Firmware != UEFI {
			t.Errorf("%s: %+v, %v", name, r.client, err)
		}
	}
	if _, err := parsePacket(raw[:end-3]); err == nil {
		t.Error("an option cut short was accepted")
	}
	if _, err := parsePacket(make([]byte, maxPacket+1)); err == nil {
		t.Error("an oversized packet was accepted")
	}
}

// Option 97 holds the SMBIOS field, the text is the one Linux and iPXE print.
// The pair is from a machine with -uuid 00112233-4455-6677-8899-aabbccddeeff.
func TestUUIDByteOrder(t *testing.T) {
	raw := "\x00\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
	for in, want := range map[string]string{
		raw:                                 "00112233-4455-6677-8899-aabbccddeeff",
		"\x01" + raw[1:]:                    "", // not a GUID type
		raw[:16]:                            "",
		"\x00" + strings.Repeat("\xff", 16): "",
		"\x00" + strings.Repeat("\x00", 16): "",
	} {
		if got := clientUUID(discover(option(97, in))); got != want {
			t.Errorf("option 97 % x: %q, want %q", in, got, want)
		}
	}
}

func FuzzDHCP(f *testing.F) {
	for _, name := range packetNames(f, "dhcp") {
		f.Add(readPacket(f, name), strings.HasSuffix(name, "4011"))
	}
	f.Fuzz(func(t *testing.T, raw []byte, bootPort bool) {
		p, err := parsePacket(raw)
		if err != nil {
			return
		}
		r, err := classify(p, bootPort)
		if err != nil {
			return
		}
		boot := &Boot{Target: TargetImage, Kernel: "x/vmlinuz"}
		a, err := decide(r, testSite, boot, "snponly.efi")
		if err != nil || a == nil {
			t.Fatalf("a classified request was not answered: %v", err)
		}
		out := mustParse(t, reply(r, testSite, *a).ToBytes())
		checkReply(t, r, out)
		destination(r, netip.MustParseAddrPort("10.77.0.9:68"), 68)
	})
}

// checkReply holds what is true of every reply.
func checkReply(t *testing.T, r request, out *dhcpv4.DHCPv4) {
	t.Helper()
	switch {
	case !out.YourIPAddr.IsUnspecified():
		t.Fatalf("a reply hands out the address %s", out.YourIPAddr)
	case out.MessageType() == dhcpv4.MessageTypeAck && !r.bootServer:
		t.Fatal("an ACK to a DISCOVER")
	case out.Options.Has(dhcpv4.OptionIPAddressLeaseTime):
		t.Fatal("a reply carries a lease time")
	case out.TransactionID != r.packet.TransactionID:
		t.Fatal("wrong transaction")
	case len(out.BootFileName) > 127:
		t.Fatalf("boot file name of %d bytes", len(out.BootFileName))
	}
}
