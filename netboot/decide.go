package netboot

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// site is where a client reaches us: found anew for each packet, because it
// depends on the interface that heard it.
type site struct {
	addr      netip.Addr // advertised to the client
	httpPort  uint16
	httpsPort uint16
}

func (s site) httpURL(path string) string {
	return "http://" + netip.AddrPortFrom(s.addr, s.httpPort).String() + path
}

// answer is what is sent to a client.
type answer struct {
	messageType dhcpv4.MessageType
	class       string // option 60
	bootFile    string // `file` header
	bootURL     bool   // bootFile is also sent as option 67
	vendor      []byte // option 43
}

// errNoLoader says that there is no loader for this kind of machine.
var errNoLoader = errors.New("no loader for this architecture")

// useThisOffer is option 43 of our offers: PXE_DISCOVERY_CONTROL (tag 6) with
// bit 3, "download the boot file of this offer". EDK2 and iPXE then skip port
// 4011, which saves a round trip and a second of waiting (PXE 2.1, table 2-1).
var useThisOffer = []byte{6, 1, 8, 255}

// agentServer is the tag in our agent class's option 43 whose value is the
// "ip:port" of the API.
const agentServer = 1

// decide turns a request and the policy's decision into an answer; nil is
// silence. loader names the program for the client's firmware, empty when there is none.
func decide(r request, s site, boot *Boot, loader string) (*answer, error) {
	if r.kind == kindAgent {
		return &answer{
			messageType: dhcpv4.MessageTypeOffer,
			class:       ClassAgent,
			vendor:      agentVendor(netip.AddrPortFrom(s.addr, s.httpsPort)),
		}, nil
	}
	if boot == nil {
		return nil, nil
	}
	a := &answer{messageType: dhcpv4.MessageTypeOffer, class: classPXE, vendor: useThisOffer}
	if r.bootServer {
		a.messageType = dhcpv4.MessageTypeAck
	}
	if r.kind == kindLoader && r.http {
		a.bootFile = scriptURL(s, r.client)
		return a, nil
	}
	// Plain firmware gets a loader, and so does an iPXE that cannot load by HTTP.
	if loader == "" {
		return nil, errNoLoader
	}
	a.bootFile = loader
	if r.client.Firmware == UEFIHTTP {
		// The class must be exactly this, or EDK2 ignores the offer.
		a.class, a.vendor = classHTTP, nil
		folder := "/boot/loaders/"
		if strings.HasPrefix(loader, deviceFolder+"/") || strings.HasPrefix(loader, signedFolder+"/") {
			folder = "/boot/"
		}
		a.bootFile, a.bootURL = s.httpURL(folder+loader), true
	}
	return a, nil
}

func agentVendor(addr netip.AddrPort) []byte {
	text := addr.String()
	return append([]byte{agentServer, byte(len(text))}, text...)
}

// scriptURL names the boot script of a client. It must fit the 127 bytes of
// the `file` header; with every part at its longest it has 119.
func scriptURL(s site, c Client) string {
	q := "?"
	if c.UUID != "" {
		q += "uuid=" + url.QueryEscape(c.UUID) + "&"
	}
	return s.httpURL("/boot/script/" + hex.EncodeToString(c.MAC) + q + "arch=" + c.Arch + "&fw=" + string(c.Firmware))
}

// reply makes the packet for an answer. It never carries an address or lease.
func reply(r request, s site, a answer) *dhcpv4.DHCPv4 {
	q := r.packet
	p := &dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootReply,
		HWType:        q.HWType,
		TransactionID: q.TransactionID,
		Flags:         q.Flags,
		ClientIPAddr:  net.IPv4zero,
		YourIPAddr:    net.IPv4zero,
		ServerIPAddr:  s.addr.AsSlice(),
		GatewayIPAddr: q.GatewayIPAddr,
		ClientHWAddr:  q.ClientHWAddr,
		BootFileName:  a.bootFile,
		Options:       dhcpv4.Options{},
	}
	if r.bootServer {
		p.ClientIPAddr = q.ClientIPAddr
	}
	p.UpdateOption(dhcpv4.OptMessageType(a.messageType))
	p.UpdateOption(dhcpv4.OptServerIdentifier(s.addr.AsSlice()))
	p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClassIdentifier, []byte(a.class)))
	if a.vendor != nil {
		p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, a.vendor))
	}
	if a.bootURL {
		p.UpdateOption(dhcpv4.OptBootFileName(a.bootFile))
	}
	echo(p, q, dhcpv4.OptionClientMachineIdentifier) // PXE 2.1, table 2-2
	echo(p, q, dhcpv4.OptionClientIdentifier)        // RFC 6842, section 3
	if !unset(q.GatewayIPAddr) {
		echo(p, q, dhcpv4.OptionRelayAgentInformation) // RFC 3046, 2.2
	}
	return p
}

func echo(to, from *dhcpv4.DHCPv4, code dhcpv4.OptionCode) {
	if v := from.Options.Get(code); v != nil {
		to.UpdateOption(dhcpv4.OptGeneric(code, v))
	}
}

// destination says where a reply goes. broadcast means 255.255.255.255 on the
// interface that heard the request: a client without an address cannot answer
// ARP, and both EDK2 and iPXE take the broadcast (RFC 2131, 4.1).
func destination(r request, from netip.AddrPort, clientPort uint16) (to netip.AddrPort, broadcast bool) {
	if gi, ok := netip.AddrFromSlice(r.packet.GatewayIPAddr.To4()); ok && !gi.IsUnspecified() {
		return netip.AddrPortFrom(gi, portDHCPServer), false
	}
	if r.bootServer {
		// EDK2 asks from port 4011 and listens there; iPXE asks from 68.
		if from.Addr().IsValid() && !from.Addr().IsUnspecified() {
			return from, false
		}
		if ci, ok := netip.AddrFromSlice(r.packet.ClientIPAddr.To4()); ok && !ci.IsUnspecified() {
			return netip.AddrPortFrom(ci, from.Port()), false
		}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), clientPort), true
}

// The well-known ports of DHCP (RFC 2131, 4.1).
const (
	portDHCPServer = 67
	portDHCPClient = 68
)

func portText(p uint16) string { return strconv.Itoa(int(p)) }
