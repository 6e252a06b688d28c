//go:build lab

package boottest

import (
	"net"
	"slices"
	"testing"
	"time"

	"slipway/lab"
)

// shortLease is renewed while a machine stands at its challenge.
func shortLease() lab.DHCPOptions {
	return lab.DHCPOptions{Lease: "2m", Extra: []string{"dhcp-option-force=option:T1,20"}}
}

// keptLease holds that the agent went on with the loader's address, by asking for it
// and for nothing else, and waits until the server has renewed its lease.
func keptLease(t *testing.T, s *scene, m *lab.Machine) {
	t.Helper()
	for deadline := time.Now().Add(lab.Timeout(time.Minute)); ; time.Sleep(200 * time.Millisecond) {
		loader, agent, acks := s.leases(t, m)
		if len(agent) == 0 {
			t.Fatal("the agent did not speak DHCP")
		}
		first := agent[0]
		if first.DHCPType() != 3 || net.IP(first.DHCPOption(50)).String() != loader || first.DHCPOption(54) != nil {
			t.Fatalf("the loader had %q, and the agent began with message %d for %v of server %v", loader, first.DHCPType(), first.DHCPOption(50), first.DHCPOption(54))
		}
		for _, a := range acks {
			if a.YourAddress() != loader {
				t.Fatalf("the loader had %s, the agent got %s", loader, a.YourAddress())
			}
		}
		// By unicast, and of the lease that it has: nothing of a new one.
		i := slices.IndexFunc(agent, func(p lab.Packet) bool {
			return p.DHCPType() == 3 && p.Src == loader && p.Dst == lab.DHCPAddress && p.DstMAC != "ff:ff:ff:ff:ff:ff" &&
				p.ClientAddress() == loader && p.DHCPOption(50) == nil
		})
		if i > 0 && slices.ContainsFunc(acks, func(a lab.Packet) bool { return string(a.Payload[4:8]) == string(agent[i].Payload[4:8]) }) {
			t.Logf("the lease of %s was renewed %.1f s after it was taken over", loader, agent[i].Time.Sub(first.Time).Seconds())
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no renewal of %s among %d messages", loader, len(agent))
		}
	}
}

// leases reads from the capture the address that the boot loader had, what the agent
// asked the DHCP servers, and what the ordinary one granted it.
func (s *scene) leases(t *testing.T, m *lab.Machine) (loader string, agent, acks []lab.Packet) {
	t.Helper()
	packets, err := s.capture.Packets()
	must(t, err)
	for _, p := range packets {
		switch {
		case p.DHCPType() == 0 || p.ClientMAC() != m.MAC:
		case p.DstPort == 67 && string(p.DHCPOption(60)) == "SlipwayAgent":
			agent = append(agent, p)
		case p.SrcPort == 67 && p.Src == lab.DHCPAddress && p.DHCPType() == 5:
			if len(agent) > 0 {
				acks = append(acks, p)
			} else {
				loader = p.YourAddress()
			}
		}
	}
	return loader, agent, acks
}
