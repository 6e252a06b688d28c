package netboot

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
)

// The two messages of Neighbor Discovery (RFC 4861, 4.1 and 4.2) that matter here.
const (
	typeRouterSolicitation  = 133
	typeRouterAdvertisement = 134

	optionSourceLinkLayer = 1   // RFC 4861, 4.6.1
	neighborHopLimit      = 255 // lower ones come from behind a router (RFC 4861, 6.1)
)

var errNotNeighbor = errors.New("not a router solicitation or advertisement of this link")

// neighborMessage is a router solicitation or advertisement.
type neighborMessage struct {
	advertisement bool
	from          netip.Addr       // link-local
	mac           net.HardwareAddr // of who sent it, as it says; nil when it does not
}

// parseNeighbor reads an ICMPv6 message without its IPv6 header, by the checks of
// RFC 4861, 6.1. The kernel has checked the checksum. A solicitation from the
// unspecified address is refused: there is nobody to answer but everybody.
func parseNeighbor(message []byte, from netip.Addr, hopLimit int) (neighborMessage, error) {
	m := neighborMessage{from: from.WithZone("")}
	if hopLimit != neighborHopLimit || !m.from.Is6() || !m.from.IsLinkLocalUnicast() || len(message) < 8 || message[1] != 0 {
		return m, errNotNeighbor
	}
	options := message[8:]
	switch message[0] {
	case typeRouterSolicitation:
	case typeRouterAdvertisement:
		m.advertisement = true
		if len(message) < 16 {
			return m, errNotNeighbor
		}
		options = message[16:]
	default:
		return m, errNotNeighbor
	}
	for len(options) > 0 {
		if len(options) < 8 {
			return m, errNotNeighbor
		}
		size := int(options[1]) * 8 // in units of 8 bytes (RFC 4861, 4.6)
		if size == 0 || size > len(options) {
			return m, errNotNeighbor
		}
		if options[0] == optionSourceLinkLayer && size == 8 {
			m.mac = net.HardwareAddr(options[2:8:8])
		}
		options = options[size:]
	}
	if m.mac == nil {
		m.mac = macOf(m.from)
	}
	return m, nil
}

// macOf takes the hardware address out of an address that was made of it (RFC 4291,
// appendix A), nil when it was not.
func macOf(a netip.Addr) net.HardwareAddr {
	b := a.As16()
	if b[11] != 0xff || b[12] != 0xfe {
		return nil
	}
	return net.HardwareAddr{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}
}

// inertAdvertisement is a router advertisement that says nothing: router lifetime 0
// (no default route), no flags (no DHCPv6), no prefix (no address), no times, no hop
// limit (RFC 4861, 4.2: 0 is unspecified). iPXE takes any advertisement as the end of
// its wait. The kernel fills the checksum in.
func inertAdvertisement() []byte {
	m := make([]byte, 16)
	m[0] = typeRouterAdvertisement
	return m
}

// routerSolicitation asks whether there is a router.
func routerSolicitation(mac net.HardwareAddr) []byte {
	m := make([]byte, 8, 16)
	m[0] = typeRouterSolicitation
	if len(mac) == 6 {
		m = append(m, optionSourceLinkLayer, 1)
		m = append(m, mac...)
	}
	return m
}

// macKey is a hardware address as a map's key.
func macKey(mac net.HardwareAddr) uint64 {
	var b [8]byte
	copy(b[2:], mac)
	return binary.BigEndian.Uint64(b[:])
}
