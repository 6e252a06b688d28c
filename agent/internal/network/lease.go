package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// VendorClass is the agent's vendor class identifier (option 60). The appliance
// answers it with an offer that names its own address.
const VendorClass = "SlipwayAgent"

// vendorAddress is the tag within option 43 that holds "host:port".
const vendorAddress = 1

// Lease is an address with all that came with it.
type Lease struct {
	Address netip.Prefix
	Routers []netip.Addr
	DNS     []netip.Addr
	Domain  string
	Server  netip.Addr // server identifier
	Start   time.Time  // when it was asked for: what follows counts from here
	Renew   time.Duration
	Rebind  time.Duration
	Expiry  time.Duration // forever: never
}

// forever marks a lease without end (RFC 2131: 0xffffffff).
const forever = time.Duration(1<<63 - 1)

// Limits of what a server may say, in sanity.
const (
	minLease     = 2 * time.Second
	defaultLease = time.Hour // a server that names none
)

// leaseFrom reads an ACK that answers a request sent at start.
func leaseFrom(ack *dhcpv4.DHCPv4, start time.Time) (Lease, error) {
	addr, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() {
		return Lease{}, errors.New("the DHCP server gave no usable address")
	}
	bits := 24
	if mask := ack.SubnetMask(); mask != nil {
		if ones, size := mask.Size(); size == 32 && ones > 0 {
			bits = ones
		}
	} else if ip := addr.As4(); ip[0] < 128 {
		bits = 8
	} else if ip[0] < 192 {
		bits = 16
	}
	l := Lease{Address: netip.PrefixFrom(addr, bits), Start: start, Domain: ack.DomainName(),
		Routers: addrs(ack.Router()), DNS: addrs(ack.DNS())}
	l.Server, _ = netip.AddrFromSlice(ack.ServerIdentifier().To4())
	l.setTimes(ack)
	return l, nil
}

// setTimes sets T1, T2 and the end, with the defaults of RFC 2131 section 4.4.5.
func (l *Lease) setTimes(ack *dhcpv4.DHCPv4) {
	raw := ack.Options.Get(dhcpv4.OptionIPAddressLeaseTime)
	if len(raw) == 4 && raw[0]&raw[1]&raw[2]&raw[3] == 0xff {
		l.Renew, l.Rebind, l.Expiry = forever, forever, forever
		return
	}
	l.Expiry = max(ack.IPAddressLeaseTime(defaultLease), minLease)
	l.Renew = ack.IPAddressRenewalTime(l.Expiry / 2)
	l.Rebind = ack.IPAddressRebindingTime(l.Expiry * 7 / 8)
	if l.Renew <= 0 || l.Rebind <= l.Renew || l.Expiry <= l.Rebind {
		l.Renew, l.Rebind = l.Expiry/2, l.Expiry*7/8
	}
}

func addrs(ips []net.IP) []netip.Addr {
	var list []netip.Addr
	for _, ip := range ips {
		if a, ok := netip.AddrFromSlice(ip.To4()); ok && !a.IsUnspecified() && len(list) < 8 {
			list = append(list, a)
		}
	}
	return list
}

// ApplianceAddress reads "ip:port" from an offer that the appliance sent to our
// vendor class: option 60 repeats the class, option 43 holds the address.
func ApplianceAddress(p *dhcpv4.DHCPv4) (string, bool) {
	if p.ClassIdentifier() != VendorClass {
		return "", false
	}
	raw := p.Options.Get(dhcpv4.OptionVendorSpecificInformation)
	for len(raw) >= 2 {
		tag, size := raw[0], int(raw[1])
		if tag == 0 {
			raw = raw[1:]
			continue
		}
		if tag == 0xff || len(raw) < 2+size {
			break
		}
		if tag == vendorAddress {
			address, err := netip.ParseAddrPort(string(raw[2 : 2+size]))
			if err != nil {
				return "", false
			}
			return address.String(), true
		}
		raw = raw[2+size:]
	}
	return "", false
}

func (l Lease) String() string { return fmt.Sprintf("%s from %s", l.Address, l.Server) }
