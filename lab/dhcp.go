package lab

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// DHCPOptions say what the ordinary DHCP server is like.
type DHCPOptions struct {
	RouterAdvertisements bool     // ends iPXE's 13 s wait for IPv6
	Lease                string   // lease time in dnsmasq's words, default "1h", at least "2m"
	Extra                []string // further dnsmasq configuration lines
}

// DHCP is an ordinary DHCP server that knows nothing of network boot.
type DHCP struct {
	*Process
	NS     *Namespace
	leases string
}

// StartDHCP runs dnsmasq as the segment's ordinary DHCP server.
func (n *Network) StartDHCP(o DHCPOptions) (*DHCP, error) {
	ns, err := n.Attach("dhcp", DHCPAddress)
	if err != nil {
		return nil, err
	}
	if o.Lease == "" {
		o.Lease = "1h"
	}
	d := &DHCP{NS: ns, leases: n.run.Path("dnsmasq.leases")}
	lines := []string{
		"port=0", "interface=eth0", "bind-interfaces", "dhcp-authoritative", "no-ping", "log-dhcp",
		"user=root", "pid-file=", "dhcp-leasefile=" + d.leases,
		"dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0," + o.Lease,
	}
	if o.RouterAdvertisements {
		if err := ns.IP("address", "add", "fd78::1/64", "dev", "eth0", "nodad"); err != nil {
			return nil, err
		}
		lines = append(lines, "enable-ra", "dhcp-range=fd78::,ra-only")
	}
	conf := n.run.Path("dnsmasq.conf")
	text := strings.Join(append(lines, o.Extra...), "\n") + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if d.Process, err = n.run.Start("dnsmasq", ns, "dnsmasq", "--no-daemon", "--conf-file="+conf); err != nil {
		return nil, err
	}
	return d, d.WaitFor(5*time.Second, "the DHCP server", func() bool {
		b, _ := os.ReadFile(d.Log)
		return strings.Contains(string(b), "DHCP, IP range")
	})
}

// Lease returns the address leased to a MAC address, or an error when there is none.
func (d *DHCP) Lease(mac string) (string, error) {
	b, err := os.ReadFile(d.leases)
	if err != nil {
		return "", fmt.Errorf("read the leases: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) >= 3 && strings.EqualFold(f[1], mac) {
			return f[2], nil
		}
	}
	return "", fmt.Errorf("no lease for %s", mac)
}
