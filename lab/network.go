package lab

import (
	"fmt"
	"net/netip"
)

// The addresses of the lab's one segment.
const (
	prefixLen        = 24
	DHCPAddress      = "10.77.0.1" // the ordinary DHCP server
	ApplianceAddress = "10.77.0.2"
	observerAddress  = "10.77.0.3" // the bridge: where the tests look from
)

// Network is one segment: a bridge in its own namespace, to which the servers'
// namespaces are tied by veth pairs and the guests by taps.
type Network struct {
	run    *Run
	Bridge *Namespace // QEMU and the tests' own requests run here
	ports  int
}

// NewNetwork makes the segment.
func (r *Run) NewNetwork() (*Network, error) {
	ns, err := r.Namespace("lan")
	if err != nil {
		return nil, err
	}
	n := &Network{run: r, Bridge: ns}
	for _, step := range [][]string{
		// A bridge that learns ports slowly (STP) swallows a ROM's first requests.
		{"link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"},
		{"address", "add", observerAddress + "/24", "dev", "br0"},
		{"link", "set", "br0", "up"},
	} {
		if err := ns.IP(step...); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Attach makes a namespace whose eth0 is tied to the bridge. address may be
// empty: the namespace then has to ask for one.
func (n *Network) Attach(name, address string) (*Namespace, error) {
	ns, err := n.run.Namespace(name)
	if err != nil {
		return nil, err
	}
	n.ports++
	port := fmt.Sprintf("port%d", n.ports)
	steps := [][]string{
		{"link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns.Name},
		{"link", "set", port, "master", "br0", "up"},
	}
	for _, s := range steps {
		if err := n.Bridge.IP(s...); err != nil {
			return nil, err
		}
	}
	if address != "" {
		a, err := netip.ParseAddr(address)
		if err != nil {
			return nil, err
		}
		if err := ns.IP("address", "add", netip.PrefixFrom(a, prefixLen).String(), "brd", "+", "dev", "eth0"); err != nil {
			return nil, err
		}
	}
	return ns, ns.IP("link", "set", "eth0", "up")
}

// tap makes a tap on the bridge for a guest.
func (n *Network) tap() (string, error) {
	n.ports++
	name := fmt.Sprintf("tap%d", n.ports)
	for _, s := range [][]string{
		{"tuntap", "add", name, "mode", "tap"},
		{"link", "set", name, "master", "br0", "up"},
	} {
		if err := n.Bridge.IP(s...); err != nil {
			return "", err
		}
	}
	return name, nil
}
