package netboot

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Golden replies: a captured request in, our bytes out.
func TestGoldenReplies(t *testing.T) {
	boot := &Boot{Target: TargetImage, Kernel: "x/vmlinuz"}
	for _, c := range []struct{ packet, loader, file string }{
		{"bios-ipxe-rom-virtio-discover-ipxe-67", "undionly.kpxe", "http://10.77.0.2:8080/boot/script/525400000001?arch=x64&fw=bios"},
		{"bios-ipxe-rom-virtio-request-ipxe-4011", "undionly.kpxe", "http://10.77.0.2:8080/boot/script/525400000001?arch=x64&fw=bios"},
		{"bios-ipxe-lkrn-plain-userclass-discover-firmware-67", "undionly.kpxe", "undionly.kpxe"},
		{"uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67", "snponly.efi", "snponly.efi"},
		{"uefi-edk2-pxe-direct-offer-then-4011-request-firmware-4011", "snponly.efi", "snponly.efi"},
		{"uefi-ipxe-rom-virtio-discover-ipxe-67", "snponly.efi", "http://10.77.0.2:8080/boot/script/52540000000e?arch=x64&fw=uefi"},
		{"uefi-http-boot-option67-discover-firmware-67", "snponly.efi", "http://10.77.0.2:8080/boot/loaders/snponly.efi"},
		{"arm64-edk2-pxe-discover-firmware-67", "snponly-arm64.efi", "snponly-arm64.efi"},
	} {
		r := mustClassify(t, c.packet)
		a, err := decide(r, testSite, boot, c.loader)
		if err != nil || a == nil {
			t.Fatalf("%s: %v", c.packet, err)
		}
		raw := reply(r, testSite, *a).ToBytes()
		golden(t, c.packet, raw)
		out := mustParse(t, raw)
		checkReply(t, r, out)
		if out.BootFileName != c.file {
			t.Errorf("%s: file %q, want %q", c.packet, out.BootFileName, c.file)
		}
		checkOptions(t, c.packet, r, out)
	}
}

func checkOptions(t *testing.T, name string, r request, out *dhcpv4.DHCPv4) {
	t.Helper()
	if !out.ServerIdentifier().Equal(testSite.addr.AsSlice()) || !out.ServerIPAddr.Equal(testSite.addr.AsSlice()) {
		t.Errorf("%s: server %s, next server %s", name, out.ServerIdentifier(), out.ServerIPAddr)
	}
	if !bytes.Equal(out.Options.Get(dhcpv4.GenericOptionCode(97)), r.packet.Options.Get(dhcpv4.GenericOptionCode(97))) {
		t.Errorf("%s: option 97 is not echoed", name)
	}
	class, vendor := vendorClass(out), out.Options.Get(dhcpv4.GenericOptionCode(43))
	if r.client.Firmware == UEFIHTTP {
		if class != "HTTPClient" || vendor != nil || string(out.Options.Get(dhcpv4.GenericOptionCode(67))) != out.BootFileName {
			t.Errorf("%s: class %q, option 43 % x", name, class, vendor)
		}
		return
	}
	if class != "PXEClient" || !bytes.Equal(vendor, []byte{6, 1, 8, 255}) {
		t.Errorf("%s: class %q, option 43 % x", name, class, vendor)
	}
}

func TestSilenceAndMissingLoader(t *testing.T) {
	r := mustClassify(t, "uefi-edk2-pxe-dnsmasq-proxy-discover-firmware-67")
	if a, err := decide(r, testSite, nil, "snponly.efi"); a != nil || err != nil {
		t.Errorf("a silent policy was answered: %+v, %v", a, err)
	}
	if _, err := decide(r, testSite, &Boot{Target: TargetDisk}, ""); !errors.Is(err, errNoLoader) {
		t.Errorf("no loader: %v", err)
	}
}

// iPXE without the HTTP feature cannot load the script.
func TestLoaderWithoutHTTP(t *testing.T) {
	for features, want := range map[string]string{
		"\x13\x01\x01":             "http://",
		"\x00\x13\x01\x01":         "http://",
		"\x15\x01\x01\x13\x01\x01": "http://",
		"\x13\x01\x00":             "undionly.kpxe",
		"\x15\x01\x01":             "undionly.kpxe",
		"\x15\x09\x01":             "undionly.kpxe", // cut short
		"\xff\x13\x01\x01":         "undionly.kpxe", // after its end
	} {
		p := discover(option(60, "PXEClient:Arch:00000:UNDI:002001"), option(77, "iPXE"), option(175, features))
		r, err := classify(p, false)
		if err != nil || r.kind != kindLoader {
			t.Fatalf("% x: %+v, %v", features, r, err)
		}
		a, err := decide(r, testSite, &Boot{Target: TargetImage}, "undionly.kpxe")
		if err != nil || !strings.HasPrefix(a.bootFile, want) {
			t.Errorf("features % x: file %q, want %s", features, a.bootFile, want)
		}
	}
}

func TestAgentOffer(t *testing.T) {
	r, err := classify(discover(option(60, ClassAgent), option(61, "\x01\x52\x54\x00\x12\x34\x56")), false)
	if err != nil {
		t.Fatal(err)
	}
	a, err := decide(r, testSite, nil, "")
	if err != nil || a == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	out := mustParse(t, reply(r, testSite, *a).ToBytes())
	checkReply(t, r, out)
	want := "\x01\x0e10.77.0.2:8443"
	if got := string(out.Options.Get(dhcpv4.GenericOptionCode(43))); got != want || vendorClass(out) != ClassAgent {
		t.Errorf("option 43 %q, class %q; want %q", got, vendorClass(out), want)
	}
	if out.BootFileName != "" || out.MessageType() != dhcpv4.MessageTypeOffer {
		t.Errorf("agent got file %q in a %s", out.BootFileName, out.MessageType())
	}
}

func TestScriptURLFitsTheHeader(t *testing.T) {
	longest := scriptURL(
		site{addr: netip.MustParseAddr("255.255.255.255"), httpPort: 65535},
		Client{MAC: net.HardwareAddr{1, 2, 3, 4, 5, 6}, UUID: "00112233-4455-6677-8899-aabbccddeeff", Arch: ArchARM64, Firmware: UEFIHTTP})
	if len(longest) > 127 {
		t.Errorf("%d bytes: %s", len(longest), longest)
	}
}

func TestDestination(t *testing.T) {
	request := messageType(dhcpv4.MessageTypeRequest)
	relayed := func(p *dhcpv4.DHCPv4) { p.GatewayIPAddr = net.IP{192, 0, 2, 1} }
	for _, c := range []struct {
		name      string
		packet    *dhcpv4.DHCPv4
		bootPort  bool
		from, to  string
		broadcast bool
	}{
		{"discover", discover(), false, "0.0.0.0:68", "255.255.255.255:68", true},
		{"unicast flag", discover(func(p *dhcpv4.DHCPv4) { p.SetUnicast() }), false, "0.0.0.0:68", "255.255.255.255:68", true},
		{"relayed", discover(relayed), false, "192.0.2.1:67", "192.0.2.1:67", false},
		{"relayed from another port", discover(relayed), false, "192.0.2.1:32768", "192.0.2.1:67", false},
		{"EDK2 at the boot server", discover(request), true, "10.77.0.9:4011", "10.77.0.9:4011", false},
		{"iPXE at the boot server", discover(request), true, "10.77.0.9:68", "10.77.0.9:68", false},
		{"boot server, no address at all", discover(request), true, "0.0.0.0:68", "255.255.255.255:68", true},
	} {
		r, err := classify(c.packet, c.bootPort)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		to, broadcast := destination(r, netip.MustParseAddrPort(c.from), 68)
		if to.String() != c.to || broadcast != c.broadcast {
			t.Errorf("%s: %s (broadcast %v), want %s", c.name, to, broadcast, c.to)
		}
	}
}

func TestRelayedReplyEchoesRelayInformation(t *testing.T) {
	info := "\x01\x04port"
	for _, gi := range []net.IP{{192, 0, 2, 1}, {0, 0, 0, 0}} {
		r, err := classify(discover(option(82, info), func(p *dhcpv4.DHCPv4) { p.GatewayIPAddr = gi }), false)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := decide(r, testSite, &Boot{Target: TargetImage}, "snponly.efi")
		out := mustParse(t, reply(r, testSite, *a).ToBytes())
		if got := string(out.Options.Get(dhcpv4.GenericOptionCode(82))); (got == info) == gi.IsUnspecified() {
			t.Errorf("giaddr %s: option 82 %q", gi, got)
		}
		if !out.GatewayIPAddr.Equal(gi) {
			t.Errorf("giaddr %s became %s", gi, out.GatewayIPAddr)
		}
	}
}
