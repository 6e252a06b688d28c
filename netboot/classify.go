package netboot

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// The vendor classes (option 60) that are answered. The first two are prefixes
// of what firmware sends, the third is our agent's, exactly.
const (
	classPXE   = "PXEClient"
	classHTTP  = "HTTPClient"
	ClassAgent = "SlipwayAgent"
)

// kind tells who asks.
type kind int

const (
	kindFirmware kind = iota + 1 // wants a loader
	kindLoader                   // our iPXE or an iPXE ROM: wants a script
	kindAgent                    // our agent: wants to know where the API is
)

// request is a classified DHCP packet.
type request struct {
	packet     *dhcpv4.DHCPv4
	kind       kind
	bootServer bool // a REQUEST to the boot server instead of a DISCOVER
	client     Client
	http       bool // a loader that can load by HTTP
}

// errNotOurs marks packets that are none of our business: ordinary DHCP.
var errNotOurs = errors.New("not a network boot request")

// maxPacket bounds what is looked at. Clients announce at most an Ethernet
// frame (option 57), so anything longer is not from a boot ROM.
const maxPacket = 1500

// parsePacket reads a DHCP packet. Some ROMs omit the End option, which the
// library insists on; one appended after a complete packet changes nothing.
func parsePacket(raw []byte) (*dhcpv4.DHCPv4, error) {
	if len(raw) > maxPacket {
		return nil, fmt.Errorf("DHCP packet of %d bytes is too long", len(raw))
	}
	padded := make([]byte, len(raw)+1)
	copy(padded, raw)
	padded[len(raw)] = dhcpv4.OptionEnd.Code()
	p, err := dhcpv4.FromBytes(padded)
	if err != nil {
		return nil, fmt.Errorf("parse DHCP packet: %w", err)
	}
	return p, nil
}

// match decides from the outside of a packet whether it concerns us.
// Ordinary DISCOVERs, and every REQUEST that selects or renews a lease, belong
// to the ordinary DHCP server. bootPort tells packets to 4011 from those to 67.
func match(p *dhcpv4.DHCPv4, bootPort bool) error {
	class := vendorClass(p)
	switch {
	case p.OpCode != dhcpv4.OpcodeBootRequest, !usableMAC(p.ClientHWAddr):
		return errNotOurs
	case class == ClassAgent:
		if p.MessageType() != dhcpv4.MessageTypeDiscover {
			return errNotOurs
		}
	case !strings.HasPrefix(class, classPXE) && !strings.HasPrefix(class, classHTTP):
		return errNotOurs
	}
	switch {
	case p.MessageType() == dhcpv4.MessageTypeDiscover && !bootPort:
		return nil
	case p.MessageType() == dhcpv4.MessageTypeRequest && bootPort:
		return nil
	case p.MessageType() == dhcpv4.MessageTypeRequest && !selectsLease(p):
		return nil
	}
	return errNotOurs
}

// selectsLease recognises the REQUESTs of RFC 2131, table 4: selecting and
// rebooting carry option 50; renewing and rebinding carry no option 54. What
// remains on port 67 is a boot server request that names its server.
func selectsLease(p *dhcpv4.DHCPv4) bool {
	return p.Options.Has(dhcpv4.OptionRequestedIPAddress) ||
		!p.Options.Has(dhcpv4.OptionServerIdentifier) || unset(p.ClientIPAddr)
}

// directedAt reports whether a request is for the server with this address. On
// the boot server port whatever arrives by unicast is.
func (r request) directedAt(addr netip.Addr, bootPort bool) bool {
	if !r.bootServer || bootPort {
		return true
	}
	id, ok := netip.AddrFromSlice(r.packet.ServerIdentifier().To4())
	return ok && id == addr
}

// classify finds out who asks and with what firmware.
func classify(p *dhcpv4.DHCPv4, bootPort bool) (request, error) {
	if err := match(p, bootPort); err != nil {
		return request{}, err
	}
	return describe(p)
}

// bootClass reports whether a packet is of something that boots, or of our agent.
func bootClass(p *dhcpv4.DHCPv4) bool {
	class := vendorClass(p)
	return class == ClassAgent || strings.HasPrefix(class, classPXE) || strings.HasPrefix(class, classHTTP)
}

// describe is classify for a packet that is known to be of a boot client.
func describe(p *dhcpv4.DHCPv4) (request, error) {
	r := request{
		packet:     p,
		kind:       kindFirmware,
		bootServer: p.MessageType() == dhcpv4.MessageTypeRequest,
		client:     Client{MAC: bytes.Clone(p.ClientHWAddr), UUID: clientUUID(p)},
	}
	if vendorClass(p) == ClassAgent {
		r.kind = kindAgent
		return r, nil
	}
	pf, ok := platformOf(p.Options.Get(dhcpv4.OptionClientSystemArchitectureType), vendorClass(p))
	if !ok {
		return request{}, fmt.Errorf("unknown client architecture (option 93 % x, class %q)",
			p.Options.Get(dhcpv4.OptionClientSystemArchitectureType), vendorClass(p))
	}
	r.client.Arch, r.client.Firmware = pf.arch, pf.firmware
	if isLoader(p) {
		r.kind, r.client.Loader = kindLoader, true
		r.http = hasHTTP(p)
	}
	return r, nil
}

func vendorClass(p *dhcpv4.DHCPv4) string {
	return string(bytes.TrimRight(p.Options.Get(dhcpv4.OptionClassIdentifier), "\x00"))
}

// optionIPXE is iPXE's own encapsulated option space (option 175).
const optionIPXE = 175

// isLoader reports whether iPXE asks: user class "iPXE" and its option 175.
// Both are wanted because administrators set the user class of other loaders.
func isLoader(p *dhcpv4.DHCPv4) bool {
	if !p.Options.Has(dhcpv4.GenericOptionCode(optionIPXE)) {
		return false
	}
	for _, c := range userClasses(p.Options.Get(dhcpv4.OptionUserClassInformation)) {
		if c == "iPXE" {
			return true
		}
	}
	return false
}

// userClasses reads option 77 in both encodings seen: a list of
// length-prefixed strings (RFC 3004) and the bare string that iPXE sends.
func userClasses(v []byte) []string {
	var out []string
	rest := v
	for len(rest) > 0 {
		n := int(rest[0])
		if n == 0 || n >= len(rest) {
			return []string{string(v)} // not a list: the bare form
		}
		out = append(out, string(rest[1:1+n]))
		rest = rest[1+n:]
	}
	return out
}

// hasHTTP looks for iPXE's HTTP feature (tag 0x13) in option 175.
func hasHTTP(p *dhcpv4.DHCPv4) bool {
	v := p.Options.Get(dhcpv4.GenericOptionCode(optionIPXE))
	for len(v) > 0 {
		switch v[0] {
		case 0x00: // pad
			v = v[1:]
			continue
		case 0xff:
			return false
		}
		if len(v) < 2 || len(v) < 2+int(v[1]) {
			return false
		}
		if v[0] == 0x13 && v[1] > 0 && v[2] != 0 {
			return true
		}
		v = v[2+int(v[1]):]
	}
	return false
}

// clientUUID reads option 97. Its 16 bytes are the SMBIOS field as firmware
// holds it, the first three groups little-endian (RFC 4578, 2.3 after the EFI
// specification; EDK2 copies the raw field and iPXE swaps its own form back
// before sending). Linux's product_uuid and iPXE's ${uuid} print the groups
// swapped, so we swap: all sources then give the same text.
func clientUUID(p *dhcpv4.DHCPv4) string {
	v := p.Options.Get(dhcpv4.OptionClientMachineIdentifier)
	if len(v) != 17 || v[0] != 0 {
		return ""
	}
	return formatUUID(v[1:])
}

func formatUUID(raw []byte) string {
	u := []byte{
		raw[3], raw[2], raw[1], raw[0], raw[5], raw[4], raw[7], raw[6],
		raw[8], raw[9], raw[10], raw[11], raw[12], raw[13], raw[14], raw[15],
	}
	if allEqual(u, 0x00) || allEqual(u, 0xff) {
		return ""
	}
	h := hex.EncodeToString(u)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func allEqual(b []byte, v byte) bool {
	for _, x := range b {
		if x != v {
			return false
		}
	}
	return true
}

// usableMAC wants an Ethernet unicast address.
func usableMAC(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0]&1 == 0 && !allEqual(mac, 0)
}

func unset(ip net.IP) bool { return len(ip) == 0 || ip.IsUnspecified() }
