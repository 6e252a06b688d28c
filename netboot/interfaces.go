package netboot

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// netInterface is what we need to know of a network interface.
type netInterface struct {
	index int
	name  string
	mtu   int
	mac   net.HardwareAddr
	addrs []netip.Prefix // IPv4 only
}

// interfaces answers which interfaces we serve. The list is read again when it
// is older than interfacesTTL or an unknown index shows up, so an interface that
// comes later is served without a restart.
type interfaces struct {
	names []string // empty: all that are up and not loopback
	list  func() ([]netInterface, error)
	now   func() time.Time

	mu     sync.Mutex
	known  []netInterface
	readAt time.Time
}

const (
	interfacesTTL  = 5 * time.Second
	interfacesRest = 500 * time.Millisecond // between two readings for unknown indexes
)

// byIndex finds a served interface.
func (i *interfaces) byIndex(index int) (netInterface, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	age := i.now().Sub(i.readAt)
	n, ok := i.find(index)
	if age > interfacesTTL || (!ok && age > interfacesRest) {
		if known, err := i.list(); err == nil {
			i.known, i.readAt = known, i.now()
		}
		n, ok = i.find(index)
	}
	return n, ok
}

// all returns the served interfaces, read anew.
func (i *interfaces) all() ([]netInterface, error) {
	known, err := i.list()
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known, i.readAt = known, i.now()
	var out []netInterface
	for _, n := range known {
		if len(i.names) == 0 || slices.Contains(i.names, n.name) {
			out = append(out, n)
		}
	}
	return out, nil
}

// state returns the names of what is served now, and the listed names that cannot be:
// that of no interface, of one that is down, or of the loopback.
func (i *interfaces) state() (served, missing []string, err error) {
	list, err := i.all()
	if err != nil {
		return nil, nil, fmt.Errorf("list the interfaces: %w", err)
	}
	for _, n := range list {
		served = append(served, n.name)
	}
	for _, name := range i.names {
		if !slices.Contains(served, name) {
			missing = append(missing, name)
		}
	}
	return served, missing, nil
}

// tell says in the log which listed interfaces cannot be served, at the start and when
// that changes, until ctx ends.
func (i *interfaces) tell(ctx context.Context, log *slog.Logger) {
	if len(i.names) == 0 {
		return
	}
	tick := time.NewTicker(interfacesTTL)
	defer tick.Stop()
	var before []string
	for {
		if _, now, err := i.state(); err == nil {
			for _, name := range now {
				if !slices.Contains(before, name) {
					log.WarnContext(ctx, "an interface of the configuration is not there, down, or the loopback: nobody is served on it until it comes up", "interface", name)
				}
			}
			for _, name := range before {
				if !slices.Contains(now, name) {
					log.InfoContext(ctx, "an interface of the configuration came up: it is served", "interface", name)
				}
			}
			before = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// own reports whether an address is one of this machine's, as last read.
func (i *interfaces) own(a netip.Addr) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range i.known {
		for _, p := range n.addrs {
			if p.Addr() == a {
				return true
			}
		}
	}
	return false
}

func (i *interfaces) find(index int) (netInterface, bool) {
	for _, n := range i.known {
		if n.index == index && (len(i.names) == 0 || slices.Contains(i.names, n.name)) {
			return n, true
		}
	}
	return netInterface{}, false
}

// addressFor picks our address on the interface: the one that shares a network
// with the peer, else the first.
func (n netInterface) addressFor(peer netip.Addr) (netip.Addr, bool) {
	for _, p := range n.addrs {
		if peer.IsValid() && p.Contains(peer) {
			return p.Addr(), true
		}
	}
	if len(n.addrs) == 0 {
		return netip.Addr{}, false
	}
	return n.addrs[0].Addr(), true
}

// on reports whether an address is in a network of the interface.
func (n netInterface) on(a netip.Addr) bool {
	return slices.ContainsFunc(n.addrs, func(p netip.Prefix) bool { return p.Contains(a) })
}

// systemInterfaces reads the interfaces that are up, loopback left out.
func systemInterfaces() ([]netInterface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []netInterface
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		out = append(out, netInterface{index: i.Index, name: i.Name, mtu: i.MTU, mac: i.HardwareAddr, addrs: ipv4Prefixes(addrs)})
	}
	return out, nil
}

func ipv4Prefixes(addrs []net.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() && !p.Addr().IsLinkLocalUnicast() {
			out = append(out, p)
		}
	}
	return out
}
