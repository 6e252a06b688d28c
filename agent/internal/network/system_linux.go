package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinuxSystem is the System of a running Linux. Kinds lists the link types to
// use; "device" are real adapters.
type LinuxSystem struct {
	Kinds   []string
	Resolve string // resolv.conf
}

// Devices implements System.
func (s LinuxSystem) Devices() ([]Device, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list network adapters: %w", err)
	}
	var list []Device
	for _, l := range links {
		a := l.Attrs()
		if a.Flags&net.FlagLoopback != 0 || len(a.HardwareAddr) != 6 || a.EncapType != "ether" {
			continue
		}
		if !s.wanted(l.Type()) || wireless(a.Name) {
			continue
		}
		list = append(list, Device{Name: a.Name, Index: a.Index, MAC: a.HardwareAddr,
			Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0 && a.RawFlags&unix.IFF_UP != 0})
	}
	return list, nil
}

func (s LinuxSystem) wanted(kind string) bool {
	for _, k := range s.Kinds {
		if k == kind {
			return true
		}
	}
	return false
}

func wireless(name string) bool {
	_, err := os.Stat("/sys/class/net/" + name + "/phy80211")
	return err == nil
}

// Up implements System.
func (s LinuxSystem) Up(d Device) error {
	link, err := netlink.LinkByIndex(d.Index)
	if err != nil {
		return err
	}
	// An address stays while the cable is out; its routes must not hide those of the other adapters meanwhile.
	err = os.WriteFile("/proc/sys/net/ipv4/conf/"+d.Name+"/ignore_routes_with_linkdown", []byte("1"), 0)
	return errors.Join(err, netlink.LinkSetUp(link))
}

// Apply implements System. The address is set without an end: the client ends it.
func (s LinuxSystem) Apply(d Device, l Lease, metric int) error {
	link, err := netlink.LinkByIndex(d.Index)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: ipNet(l.Address)}
	if err := s.removeOthers(link, addr); err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("set address %s: %w", l.Address, err)
	}
	for i, router := range l.Routers {
		err := netlink.RouteReplace(&netlink.Route{LinkIndex: d.Index, Gw: router.AsSlice(), Priority: metric + i,
			Protocol: unix.RTPROT_DHCP, Flags: onlink(l, router)})
		if err != nil {
			return fmt.Errorf("set route over %s: %w", router, err)
		}
	}
	return nil
}

// onlink lets a router outside the subnet work (hosters with /32 leases).
func onlink(l Lease, router netip.Addr) int {
	if l.Address.Contains(router) {
		return 0
	}
	return int(netlink.FLAG_ONLINK)
}

func (s LinuxSystem) removeOthers(link netlink.Link, keep *netlink.Addr) error {
	have, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	var errs []error
	for _, a := range have {
		if keep == nil || !a.IP.Equal(keep.IP) || a.Mask.String() != keep.Mask.String() {
			errs = append(errs, netlink.AddrDel(link, &a))
		}
	}
	return errors.Join(errs...)
}

// Remove implements System. Routes go with their address.
func (s LinuxSystem) Remove(d Device) error {
	link, err := netlink.LinkByIndex(d.Index)
	if err != nil {
		return err
	}
	return s.removeOthers(link, nil)
}

// NameServers implements System.
func (s LinuxSystem) NameServers(dns []netip.Addr, domain string) error {
	var b strings.Builder
	if domain != "" && !strings.ContainsAny(domain, " \t\r\n\x00") {
		fmt.Fprintf(&b, "search %s\n", domain)
	}
	for _, addr := range dns[:min(len(dns), 3)] { // MAXNS of resolv.conf(5)
		fmt.Fprintf(&b, "nameserver %s\n", addr)
	}
	return os.WriteFile(s.Resolve, []byte(b.String()), 0o644)
}

// Link implements System.
func (s LinuxSystem) Link(d Device) Link { return adapterLink{d.Name} }

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}
