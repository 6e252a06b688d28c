package installed

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"

	"slipway/agent/internal/network"
)

// running is the network as the installed OS has set it up. It is only looked at:
// addresses, routes and names are the system's own affair.
type running struct {
	root       fs.FS // the machine's "/"
	interfaces func() ([]net.Interface, error)
	addresses  func(net.Interface) ([]net.Addr, error)
}

func newRunning(root fs.FS) running {
	return running{root: root, interfaces: net.Interfaces, addresses: func(i net.Interface) ([]net.Addr, error) { return i.Addrs() }}
}

// Adapters lists the real adapters, because their addresses are what the machine
// is known by; bridges, tunnels and containers' ends change. Where there are only
// such (a container), they are listed. An address that sits on something above
// the adapters (a bond, a bridge) counts for the first of them.
func (r running) Adapters() []network.Adapter {
	all, err := r.interfaces()
	if err != nil {
		return nil
	}
	gateway, via := r.defaultRoute()
	var real, other []network.Adapter
	var elsewhere netip.Prefix
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		a := network.Adapter{Name: i.Name, MAC: i.HardwareAddr}
		if i.Flags&net.FlagRunning != 0 {
			a.State = network.Asking
		}
		if p := r.address(i); p.IsValid() {
			a.State, a.Lease.Address = network.Leased, p
			if i.Name == via && gateway.IsValid() {
				a.Lease.Routers = []netip.Addr{gateway}
			}
		}
		switch {
		case len(a.MAC) == 6 && r.isReal(i.Name):
			real = append(real, a)
		case len(a.MAC) == 6:
			other = append(other, a)
			fallthrough
		default:
			if a.State == network.Leased && (!elsewhere.IsValid() || i.Name == via) {
				elsewhere = a.Lease.Address
			}
		}
	}
	if len(real) == 0 {
		real = other
	}
	sortAdapters(real, via)
	if len(real) > 0 && real[0].State != network.Leased && elsewhere.IsValid() {
		real[0].State, real[0].Lease.Address = network.Leased, elsewhere
		if gateway.IsValid() {
			real[0].Lease.Routers = []netip.Addr{gateway}
		}
	}
	return real
}

// sortAdapters puts those with an address first, the one of the default route
// before all.
func sortAdapters(list []network.Adapter, via string) {
	rank := func(a network.Adapter) int {
		switch {
		case a.State == network.Leased && a.Name == via:
			return 0
		case a.State == network.Leased:
			return 1
		}
		return 2
	}
	slices.SortFunc(list, func(a, b network.Adapter) int {
		return cmp.Or(rank(a)-rank(b), slices.Compare(a.MAC, b.MAC))
	})
}

func (r running) isReal(name string) bool {
	_, err := fs.Stat(r.root, "sys/class/net/"+name+"/device")
	return err == nil
}

// address is the adapter's first address that others can reach, IPv4 first.
func (r running) address(i net.Interface) (found netip.Prefix) {
	list, err := r.addresses(i)
	if err != nil {
		return found
	}
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().IsGlobalUnicast() {
			continue
		}
		if p.Addr().Is4() {
			return p
		}
		if !found.IsValid() {
			found = p
		}
	}
	return found
}

// defaultRoute reads /proc/net/route: columns Iface, Destination, Gateway, the
// latter two in hexadecimal as the machine's 32-bit words. The lowest metric wins.
func (r running) defaultRoute() (gateway netip.Addr, via string) {
	text, _ := fs.ReadFile(r.root, "proc/net/route")
	best := ""
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		if metric := f[6]; best != "" && (len(metric) > len(best) || len(metric) == len(best) && metric >= best) {
			continue
		}
		word, err := hex.DecodeString(f[2])
		if err != nil || len(word) != 4 {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(word))
		best, gateway, via = f[6], netip.AddrFrom4(b), f[0]
	}
	if gateway.IsValid() && gateway.IsUnspecified() {
		gateway = netip.Addr{}
	}
	return gateway, via
}
