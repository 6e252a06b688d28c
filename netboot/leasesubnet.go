package netboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Subnet is a network whose addresses we hand out.
type Subnet struct {
	Prefix      netip.Prefix
	First, Last netip.Addr // the range handed out to anybody; both unset: reservations only
	Router      netip.Addr // option 3; unset: none
	DNS         []netip.Addr
	Domain      string
	Lease       time.Duration
	// Reservations are the addresses of certain machines, by hardware address in
	// lower case with colons.
	Reservations map[string]netip.Addr
}

// Limits of subnets.
const (
	MinLease = 2 * time.Minute // below, clients do little but renew
	MaxLease = 365 * 24 * time.Hour
	maxRange = 1 << 16 // addresses of a range: each may become a record of the state
)

// ValidateSubnets reports every mistake, each naming its subnet.
func ValidateSubnets(subnets []Subnet) error {
	var errs []error
	for i, s := range subnets {
		for _, problem := range s.problems() {
			errs = append(errs, fmt.Errorf("%s: %s", s.Prefix, problem))
		}
		for _, other := range subnets[:i] {
			if other.Prefix.IsValid() && s.Prefix.IsValid() && other.Prefix.Overlaps(s.Prefix) {
				errs = append(errs, fmt.Errorf("%s: overlaps %s", s.Prefix, other.Prefix))
			}
		}
	}
	return errors.Join(errs...)
}

func (s Subnet) problems() (out []string) {
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !s.Prefix.IsValid() || !s.Prefix.Addr().Is4() || s.Prefix.Bits() < 8 || s.Prefix.Bits() > 30 || s.Prefix != s.Prefix.Masked() {
		return []string{"is not an IPv4 network such as 192.0.2.0/24"}
	}
	out = append(out, s.rangeProblems()...)
	if s.Router.IsValid() && !s.usable(s.Router) {
		bad("router: %s is not an address of this network", s.Router)
	}
	for _, a := range s.DNS {
		if !a.Is4() || a.IsUnspecified() || a.IsMulticast() {
			bad("dns: %s is not the IPv4 address of a server", a)
		}
	}
	if s.Lease < MinLease || s.Lease > MaxLease {
		bad("lease: %s is not between %s and %s", s.Lease, MinLease, MaxLease)
	}
	taken := map[netip.Addr]string{}
	for _, mac := range sortedMACs(s.Reservations) {
		a := s.Reservations[mac]
		hw, err := net.ParseMAC(mac)
		switch {
		case err != nil || !usableMAC(hw) || hw.String() != mac:
			bad("reservations: %q is not a hardware address such as 52:54:00:12:34:56", mac)
		case !s.usable(a):
			bad("reservations: %s is not an address of this network", a)
		case taken[a] != "":
			bad("reservations: %s is reserved for both %s and %s", a, taken[a], mac)
		}
		taken[a] = mac
	}
	return out
}

func (s Subnet) rangeProblems() (out []string) {
	switch {
	case !s.First.IsValid() && !s.Last.IsValid():
		if len(s.Reservations) == 0 {
			out = append(out, "range: is missing, e.g. 192.0.2.100-192.0.2.200")
		}
	case !s.usable(s.First) || !s.usable(s.Last):
		out = append(out, fmt.Sprintf("range: %s-%s is not inside this network", s.First, s.Last))
	case s.Last.Less(s.First):
		out = append(out, fmt.Sprintf("range: %s comes after %s", s.First, s.Last))
	case s.size() > maxRange:
		out = append(out, fmt.Sprintf("range: %d addresses are more than the %d allowed", s.size(), maxRange))
	}
	return out
}

// usable tells addresses that a host can have: inside, and neither the network's
// own nor its broadcast address.
func (s Subnet) usable(a netip.Addr) bool {
	return a.Is4() && s.Prefix.Contains(a) && a != s.Prefix.Addr() && a != s.broadcast()
}

func (s Subnet) broadcast() netip.Addr {
	b := s.Prefix.Addr().As4()
	n := binary.BigEndian.Uint32(b[:]) | uint32(1<<(32-s.Prefix.Bits())-1)
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

func (s Subnet) mask() net.IPMask { return net.CIDRMask(s.Prefix.Bits(), 32) }

// size is the number of addresses of the range.
func (s Subnet) size() int {
	if !s.First.Is4() || !s.Last.Is4() {
		return 0
	}
	first, last := s.First.As4(), s.Last.As4()
	return int(binary.BigEndian.Uint32(last[:])) - int(binary.BigEndian.Uint32(first[:])) + 1
}

func (s Subnet) inRange(a netip.Addr) bool {
	return s.First.IsValid() && !a.Less(s.First) && !s.Last.Less(a)
}

// infrastructure tells addresses that are never handed out although they are in
// the range.
func (s Subnet) infrastructure(a netip.Addr) bool { return a == s.Router || slices.Contains(s.DNS, a) }

func sortedMACs(m map[string]netip.Addr) []string {
	out := make([]string, 0, len(m))
	for mac := range m {
		out = append(out, mac)
	}
	slices.Sort(out)
	return out
}
