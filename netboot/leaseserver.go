package netboot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// leaseServer hands out addresses in the subnets that are ours. Where none of
// them is, or another DHCP server has turned up, the proxy answers alone.
type leaseServer struct {
	cfg   *Config
	pool  *pool
	probe func(ctx context.Context, iface netInterface, a netip.Addr, mac []byte) (bool, error)
	watch *watch
	proxy *proxy
	log   *slog.Logger
	count *Counters
}

// handle answers one packet to port 67. done is false when it concerns the proxy.
func (l *leaseServer) handle(ctx context.Context, j job, iface netInterface, q *dhcpv4.DHCPv4) (done bool, err error) {
	if q.OpCode != dhcpv4.OpcodeBootRequest || !usableMAC(q.ClientHWAddr) {
		return true, errNotOurs
	}
	st, ok := stageOf(q, l.ours(iface, j.to))
	if !ok {
		return false, nil
	}
	sub := l.link(iface, j, q)
	if sub == nil {
		return false, nil
	}
	if st == stageDiscover || st == stageSelecting {
		if !l.watch.clear(iface) {
			return false, nil
		}
	}
	c := leaseClientOf(q)
	switch st {
	case stageDiscover:
		return true, l.discover(ctx, j, iface, sub, c, q)
	case stageDecline, stageRelease:
		return true, l.end(ctx, st, sub, c, q)
	case stageInform:
		g := grant{messageType: dhcpv4.MessageTypeAck, subnet: sub.Subnet, boot: l.agentAnswer(iface, j, q)}
		l.count.leaseInforms.Add(1)
		return true, l.send(ctx, j, iface, q, g)
	}
	return true, l.request(ctx, j, iface, sub, c, st, q)
}

// link finds the subnet of the client's link: that of the relay, of a client that
// wrote from its own address through a router, or of the interface.
func (l *leaseServer) link(iface netInterface, j job, q *dhcpv4.DHCPv4) *subnetPool {
	if gi := address4(q.GatewayIPAddr); gi.IsValid() {
		return l.pool.subnetOf(gi)
	}
	// What was broadcast comes from the interface's link, whatever address it is from.
	if ci := address4(q.ClientIPAddr); ci.IsValid() && ci == j.from.Addr() && (j.to != broadcastAddr || iface.on(ci)) {
		if sub := l.pool.subnetOf(ci); sub != nil {
			return sub
		}
	}
	for _, p := range iface.addrs {
		if sub := l.pool.subnetOf(p.Addr()); sub != nil {
			return sub
		}
	}
	return nil
}

func (l *leaseServer) ours(iface netInterface, a netip.Addr) bool {
	for _, p := range iface.addrs {
		if p.Addr() == a {
			return true
		}
	}
	return a.IsValid() && l.pool.own(a)
}

func (l *leaseServer) discover(ctx context.Context, j job, iface netInterface, sub *subnetPool, c leaseClient, q *dhcpv4.DHCPv4) error {
	boot, err := l.boot(ctx, j, iface, q)
	if err != nil {
		return err
	}
	for range maxCandidates {
		a, probe, ok := l.pool.offer(sub, c, address4(q.Options.Get(dhcpv4.OptionRequestedIPAddress)))
		if !ok {
			l.count.leaseExhausted.Add(1)
			if l.proxy.warned.due("exhausted "+sub.Prefix.String(), l.cfg.Now()) {
				l.log.WarnContext(ctx, "no address is left to offer: make the range larger, or the lease time shorter", "subnet", sub.Prefix.String(), "mac", c.mac)
			}
			return nil
		}
		if probe && l.taken(ctx, iface, sub, a, q) {
			continue
		}
		if probe && !l.watch.clear(iface) {
			return nil // while the address was probed, another server turned up or the interface went away
		}
		l.pool.describe(a, c, boot)
		l.count.leaseOffers.Add(1)
		return l.send(ctx, j, iface, q, grant{messageType: dhcpv4.MessageTypeOffer, address: a, life: sub.Lease, subnet: sub.Subnet, boot: boot})
	}
	return nil // it asks again, and further addresses are tried
}

// taken asks the network whether somebody uses an address already.
func (l *leaseServer) taken(ctx context.Context, iface netInterface, sub *subnetPool, a netip.Addr, q *dhcpv4.DHCPv4) bool {
	used, err := l.probe(ctx, iface, a, q.ClientHWAddr)
	if err != nil && l.proxy.warned.due("probe", l.cfg.Now()) {
		l.log.WarnContext(ctx, "an address cannot be probed before it is offered", "address", a.String(), "err", err)
	}
	if !used {
		return false
	}
	l.pool.occupied(a)
	l.count.leaseConflicts.Add(1)
	if l.proxy.warned.due("conflict "+sub.Prefix.String(), l.cfg.Now()) {
		l.log.WarnContext(ctx, "somebody uses an address of the range without having asked for it: it is left out for an hour", "address", a.String(), "interface", iface.name)
	}
	return true
}

func (l *leaseServer) request(ctx context.Context, j job, iface netInterface, sub *subnetPool, c leaseClient, st leaseStage, q *dhcpv4.DHCPv4) error {
	a := address4(q.ClientIPAddr)
	if st == stageSelecting || st == stageInitReboot {
		a = address4(q.Options.Get(dhcpv4.OptionRequestedIPAddress))
	}
	if st == stageSelecting {
		if id := address4(q.ServerIdentifier()); !l.ours(iface, id) {
			l.pool.turnedDown(sub, c)
			l.watch.suspect(iface.index)
			return errNotOurs
		}
	}
	if (st == stageInitReboot || st == stageRebinding) && !l.watch.clear(iface) && !l.pool.holds(c, a) {
		return errNotOurs // beside another server those are its clients
	}
	var boot *answer
	described := false
	if st == stageSelecting {
		boot, described = l.pool.described(a, c)
	}
	v, life := l.pool.request(sub, c, a, st)
	switch v {
	case verdictSilent:
		return errNotOurs
	case verdictNak:
		l.count.leaseNaks.Add(1)
		return l.send(ctx, j, iface, q, grant{messageType: dhcpv4.MessageTypeNak, message: "this address is not yours; ask for another"})
	}
	if err := l.pool.save(ctx, a); err != nil {
		l.count.leaseFailures.Add(1)
		if l.proxy.warned.due("save", l.cfg.Now()) {
			l.log.ErrorContext(ctx, "leases cannot be kept, so none is handed out", "err", err)
		}
		return err
	}
	if !described {
		var err error
		// Firmware that comes back by itself is told as at its DISCOVER; a machine
		// that only renews has booted already.
		if st == stageSelecting || st == stageInitReboot {
			if boot, err = l.boot(ctx, j, iface, q); err != nil {
				return err
			}
		} else {
			boot = l.agentAnswer(iface, j, q)
		}
	}
	l.count.leaseAcks.Add(1)
	l.log.DebugContext(ctx, "lease acknowledged", "address", a.String(), "mac", c.mac, "host", c.host, "seconds", int(life.Seconds()))
	return l.send(ctx, j, iface, q, grant{messageType: dhcpv4.MessageTypeAck, address: a, life: life, subnet: sub.Subnet, boot: boot})
}

// end handles what ends a lease; neither is answered.
func (l *leaseServer) end(ctx context.Context, st leaseStage, sub *subnetPool, c leaseClient, q *dhcpv4.DHCPv4) error {
	if id := address4(q.ServerIdentifier()); !l.pool.own(id) {
		return errNotOurs
	}
	if st == stageRelease {
		a := address4(q.ClientIPAddr)
		if !l.pool.release(c, a) {
			return errNotOurs
		}
		l.count.leaseReleases.Add(1)
		return l.pool.save(ctx, a)
	}
	a := address4(q.Options.Get(dhcpv4.OptionRequestedIPAddress))
	if !l.pool.decline(sub, c, a) {
		return errNotOurs
	}
	l.count.leaseDeclines.Add(1)
	l.log.WarnContext(ctx, "a client found its address in use by somebody else: it is left out for an hour", "address", a.String(), "mac", c.mac)
	return l.pool.save(ctx, a)
}

// boot is the boot part of an answer; nil for ordinary clients, for a machine whose
// policy is silence, and for one that no loader is here for.
func (l *leaseServer) boot(ctx context.Context, j job, iface netInterface, q *dhcpv4.DHCPv4) (*answer, error) {
	if !bootClass(q) {
		return nil, nil
	}
	r, err := describe(q)
	if err != nil {
		l.count.dhcpMalformed.Add(1)
		return nil, nil // an architecture that we do not know: it gets an address
	}
	r.bootServer = false
	_, s, err := l.proxy.site(iface, r, j)
	if err != nil {
		return nil, err
	}
	a, err := l.proxy.ask(ctx, r, s)
	if errors.Is(err, errNoLoader) {
		l.proxy.warnLoader(ctx, r)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", r.client.MAC, err)
	}
	return a, nil
}

// agentAnswer is the boot part that needs no policy: where the API is.
func (l *leaseServer) agentAnswer(iface netInterface, j job, q *dhcpv4.DHCPv4) *answer {
	if vendorClass(q) != ClassAgent {
		return nil
	}
	r := request{packet: q, kind: kindAgent}
	_, s, err := l.proxy.site(iface, r, j)
	if err != nil {
		return nil
	}
	a, _ := decide(r, s, nil, "") // cannot fail for an agent
	return a
}

func (l *leaseServer) send(ctx context.Context, j job, iface netInterface, q *dhcpv4.DHCPv4, g grant) error {
	local, s, err := l.proxy.site(iface, request{packet: q}, j)
	if err != nil {
		return err
	}
	if !local.IsValid() {
		return fmt.Errorf("interface %s has no IPv4 address to answer from", iface.name)
	}
	g.server = local
	to, broadcast := leaseDestination(q, g.messageType, l.cfg.DHCP.clientPort())
	ifIndex := 0
	if broadcast {
		ifIndex = j.ifIndex
	}
	if err := j.socket.Send(leaseReply(q, s, g).ToBytes(), to, ifIndex, local); err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	l.log.DebugContext(ctx, "answered a lease request", "type", g.messageType.String(), "mac", q.ClientHWAddr.String(), "address", g.address.String(), "to", to.String())
	return nil
}
