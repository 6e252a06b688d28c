package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"slipway/netboot"
)

// Subnet is a network whose addresses the appliance hands out (dhcp.mode authoritative).
type Subnet struct {
	Subnet       string            `yaml:"subnet"` // 192.0.2.0/24
	Range        string            `yaml:"range"`  // first-last
	Router       string            `yaml:"router"`
	DNS          []string          `yaml:"dns"`
	Domain       string            `yaml:"domain"`
	Lease        string            `yaml:"lease"`        // e.g. 90m, 12h; empty: 1h
	Reservations map[string]string `yaml:"reservations"` // hardware address: address
}

const defaultLease = "1h"

// Served returns the networks that the appliance hands out addresses in. Its error
// names each mistake with its subnet.
func (d DHCP) Served() ([]netboot.Subnet, error) {
	var out []netboot.Subnet
	for _, s := range d.Subnets {
		n, err := s.parse()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cmp.Or(s.Subnet, "one without a subnet"), err)
		}
		out = append(out, n)
	}
	return out, netboot.ValidateSubnets(out)
}

func (s Subnet) parse() (n netboot.Subnet, err error) {
	if n.Prefix, err = netip.ParsePrefix(s.Subnet); err != nil {
		return n, fmt.Errorf("subnet: %q is not a network such as 192.0.2.0/24", s.Subnet)
	}
	if s.Range != "" {
		first, last, _ := strings.Cut(s.Range, "-")
		if n.First, err = address("range", first); err != nil {
			return n, fmt.Errorf("range: %q is not of the form 192.0.2.100-192.0.2.200", s.Range)
		}
		if n.Last, err = address("range", last); err != nil {
			return n, fmt.Errorf("range: %q is not of the form 192.0.2.100-192.0.2.200", s.Range)
		}
	}
	if s.Router != "" {
		if n.Router, err = address("router", s.Router); err != nil {
			return n, err
		}
	}
	for _, text := range s.DNS {
		a, err := address("dns", text)
		if err != nil {
			return n, err
		}
		n.DNS = append(n.DNS, a)
	}
	if n.Domain = s.Domain; !isDomain(s.Domain) {
		return n, fmt.Errorf("domain: %q is not a domain name", s.Domain)
	}
	if n.Lease, err = time.ParseDuration(cmp.Or(s.Lease, defaultLease)); err != nil {
		return n, fmt.Errorf("lease: %q is not a time such as 90m or 12h", s.Lease)
	}
	n.Reservations = map[string]netip.Addr{}
	for text, value := range s.Reservations {
		mac, err := net.ParseMAC(text)
		if err != nil {
			return n, fmt.Errorf("reservations: %q is not a hardware address such as 52:54:00:12:34:56", text)
		}
		if _, twice := n.Reservations[mac.String()]; twice {
			return n, fmt.Errorf("reservations: %s is there twice", mac)
		}
		if n.Reservations[mac.String()], err = address("reservations", value); err != nil {
			return n, err
		}
	}
	return n, nil
}

func address(key, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || !a.Is4() {
		return a, fmt.Errorf("%s: %q is not an IPv4 address", key, text)
	}
	return a, nil
}

// isDomain accepts names of letters, digits, dots and hyphens (RFC 1123, 2.1).
func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if s != "" && (label == "" || len(label) > 63) {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// authority says what is wrong with the keys of dhcp.mode authoritative.
func (d DHCP) authority(bad func(key, format string, args ...any)) {
	switch {
	case d.Mode == ModeAuthoritative && len(d.Subnets) == 0:
		bad("dhcp.subnets", "dhcp.mode %q needs at least one network to hand out addresses in, e.g. [{subnet: 192.0.2.0/24, range: 192.0.2.100-192.0.2.200}]", d.Mode)
	case d.Mode != ModeAuthoritative && len(d.Subnets) > 0:
		bad("dhcp.subnets", "addresses are handed out only with dhcp.mode %q; set it, or remove them", ModeAuthoritative)
	case d.Mode != ModeAuthoritative && d.Force:
		bad("dhcp.force", "goes with dhcp.mode %q", ModeAuthoritative)
	}
	_, err := d.Served()
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		bad("dhcp.subnets", "%s", strings.TrimSpace(line))
	}
}
