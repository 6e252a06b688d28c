package netboot

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// grant is what a lease client is answered.
type grant struct {
	messageType dhcpv4.MessageType
	address     netip.Addr    // unset for NAK and for the answer to INFORM
	life        time.Duration // 0: no times are told
	server      netip.Addr    // server identifier: our address on the client's side
	subnet      Subnet
	boot        *answer // nil: nothing of booting
	message     string  // option 56, why there is no address
}

// leaseReply makes the packet for a grant (RFC 2131, table 3). For a boot client
// it carries the boot part as well: next server and file stand in the header of
// the same packet, because signed GRUB takes its TFTP server from there.
func leaseReply(q *dhcpv4.DHCPv4, s site, g grant) *dhcpv4.DHCPv4 {
	p := &dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootReply,
		HWType:        q.HWType,
		TransactionID: q.TransactionID,
		Flags:         q.Flags,
		ClientIPAddr:  net.IPv4zero,
		YourIPAddr:    net.IPv4zero,
		ServerIPAddr:  net.IPv4zero,
		GatewayIPAddr: q.GatewayIPAddr,
		ClientHWAddr:  q.ClientHWAddr,
		Options:       dhcpv4.Options{},
	}
	p.UpdateOption(dhcpv4.OptMessageType(g.messageType))
	p.UpdateOption(dhcpv4.OptServerIdentifier(g.server.AsSlice()))
	echo(p, q, dhcpv4.OptionClientIdentifier) // RFC 6842, section 3
	if !unset(q.GatewayIPAddr) {
		echo(p, q, dhcpv4.OptionRelayAgentInformation) // RFC 3046, 2.2
	}
	if g.messageType == dhcpv4.MessageTypeNak {
		if !unset(q.GatewayIPAddr) {
			p.SetBroadcast() // the relay cannot reach the client by its address (RFC 2131, 4.3.2)
		}
		p.UpdateOption(dhcpv4.OptMessage(g.message))
		return p
	}
	if g.messageType == dhcpv4.MessageTypeAck && !unset(q.ClientIPAddr) {
		p.ClientIPAddr = q.ClientIPAddr
	}
	if g.address.IsValid() {
		p.YourIPAddr = g.address.AsSlice()
	}
	addNetwork(p, g.subnet)
	addTimes(p, g.life)
	if g.boot != nil {
		addBoot(p, q, s, *g.boot)
	}
	return p
}

func addNetwork(p *dhcpv4.DHCPv4, s Subnet) {
	p.UpdateOption(dhcpv4.OptSubnetMask(s.mask()))
	p.UpdateOption(dhcpv4.OptBroadcastAddress(s.broadcast().AsSlice()))
	if s.Router.IsValid() {
		p.UpdateOption(dhcpv4.OptRouter(s.Router.AsSlice()))
	}
	if len(s.DNS) > 0 {
		var servers []net.IP
		for _, a := range s.DNS {
			servers = append(servers, a.AsSlice())
		}
		p.UpdateOption(dhcpv4.OptDNS(servers...))
	}
	if s.Domain != "" {
		p.UpdateOption(dhcpv4.OptDomainName(s.Domain))
	}
}

// addTimes tells the lease time and when to renew (half) and rebind (seven
// eighths), in whole seconds (RFC 2131, 4.4.5).
func addTimes(p *dhcpv4.DHCPv4, life time.Duration) {
	if life <= 0 {
		return
	}
	seconds := func(code dhcpv4.OptionCode, d time.Duration) {
		p.UpdateOption(dhcpv4.OptGeneric(code, binary.BigEndian.AppendUint32(nil, uint32(d/time.Second))))
	}
	seconds(dhcpv4.OptionIPAddressLeaseTime, life)
	seconds(dhcpv4.OptionRenewTimeValue, life/2)
	seconds(dhcpv4.OptionRebindingTimeValue, life/8*7)
}

func addBoot(p, q *dhcpv4.DHCPv4, s site, a answer) {
	p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClassIdentifier, []byte(a.class)))
	if a.vendor != nil {
		p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, a.vendor))
	}
	echo(p, q, dhcpv4.OptionClientMachineIdentifier)
	if a.bootFile == "" {
		return
	}
	p.ServerIPAddr, p.BootFileName = s.addr.AsSlice(), a.bootFile
	if a.bootURL {
		p.UpdateOption(dhcpv4.OptBootFileName(a.bootFile))
	}
}

// leaseDestination says where an answer goes (RFC 2131, 4.1). A client without an
// address is reached by broadcast, whether it asked for that or not: it cannot
// answer ARP yet.
func leaseDestination(q *dhcpv4.DHCPv4, t dhcpv4.MessageType, clientPort uint16) (to netip.AddrPort, broadcast bool) {
	if gi := address4(q.GatewayIPAddr); gi.IsValid() {
		return netip.AddrPortFrom(gi, portDHCPServer), false
	}
	if ci := address4(q.ClientIPAddr); ci.IsValid() && t == dhcpv4.MessageTypeAck {
		return netip.AddrPortFrom(ci, clientPort), false
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), clientPort), true
}
