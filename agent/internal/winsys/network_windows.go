package winsys

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"

	"slipway/agent/internal/network"
)

// Network is the network as Windows has set it up. It is only looked at.
type Network struct{}

// Kinds of adapters (ipifcons.h) and flags of GetAdaptersAddresses.
const (
	ifEthernet = 6
	ifWireless = 71
	ifUp       = 1
	gateways   = 0x80 // GAA_FLAG_INCLUDE_GATEWAYS
)

// Adapters lists the adapters with a hardware address, those with an address that
// others can reach first. Without a DHCP answer Windows takes 169.254.x.y: that is none.
func (Network) Adapters() []network.Adapter {
	var list []network.Adapter
	for _, a := range read() {
		if a.PhysicalAddressLength != 6 || a.IfType != ifEthernet && a.IfType != ifWireless {
			continue
		}
		n := network.Adapter{Name: windows.UTF16PtrToString(a.FriendlyName), MAC: net.HardwareAddr(slices.Clone(a.PhysicalAddress[:6]))}
		if a.OperStatus == ifUp {
			n.State = network.Asking
		}
		if p := address(a); p.IsValid() && a.OperStatus == ifUp {
			n.State, n.Lease.Address = network.Leased, p
			for g := a.FirstGatewayAddress; g != nil; g = g.Next {
				if ip, ok := netip.AddrFromSlice(g.Address.IP()); ok {
					n.Lease.Routers = append(n.Lease.Routers, ip.Unmap())
				}
			}
		}
		list = append(list, n)
	}
	slices.SortStableFunc(list, func(a, b network.Adapter) int { return cmp.Or(rank(a)-rank(b), slices.Compare(a.MAC, b.MAC)) })
	return list
}

// rank puts those that lead somewhere first.
func rank(a network.Adapter) int {
	switch {
	case a.State == network.Leased && len(a.Lease.Routers) > 0:
		return 0
	case a.State == network.Leased:
		return 1
	}
	return 2
}

// read asks Windows for its adapters; the room they need may grow in between.
func read() (list []*windows.IpAdapterAddresses) {
	size := uint32(16 << 10)
	for range 4 {
		b := make([]byte, size)
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&b[0]))
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, gateways, 0, first, &size)
		if err == windows.ERROR_BUFFER_OVERFLOW {
			continue
		}
		if err != nil {
			return nil
		}
		for a := first; a != nil; a = a.Next {
			list = append(list, a)
		}
		return list
	}
	return nil
}

// address is the adapter's first address that others can reach, IPv4 first.
func address(a *windows.IpAdapterAddresses) (found netip.Prefix) {
	for u := a.FirstUnicastAddress; u != nil; u = u.Next {
		ip, ok := netip.AddrFromSlice(u.Address.IP())
		if !ok || !ip.Unmap().IsGlobalUnicast() {
			continue
		}
		p := netip.PrefixFrom(ip.Unmap(), int(u.OnLinkPrefixLength))
		if p.Addr().Is4() {
			return p
		}
		if !found.IsValid() {
			found = p
		}
	}
	return found
}
