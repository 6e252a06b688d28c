package netboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// proxy is the proxyDHCP server: it reads packets from its sockets and hands
// them to a fixed set of workers.
type proxy struct {
	cfg        *Config
	interfaces *interfaces
	log        *slog.Logger
	count      *Counters
	warned     warnings
	leases     *leaseServer     // nil: no addresses are handed out
	booting    *bootingMachines // nil: nobody asks
}

// warnings keeps a standing mistake (no loader for a kind of machine) from
// filling the log: each kind is told once a minute.
type warnings struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// due reports whether a warning of this kind should be written now. The kinds
// are few and ours, so the map stays small.
func (w *warnings) due(kind string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.last[kind]; ok && now.Sub(last) < time.Minute {
		return false
	}
	if w.last == nil {
		w.last = map[string]time.Time{}
	}
	w.last[kind] = now
	return true
}

// job is a packet on its way to a worker.
type job struct {
	datagram
	socket   packetSocket
	bootPort bool // it came in on the boot server port (4011)
}

const (
	dhcpWorkers  = 8
	leaseWorkers = 64              // they wait for the answers to probes, and for the disk
	dhcpQueue    = 256             // packets waiting for a worker; more are dropped, clients repeat
	dhcpDeadline = 2 * time.Second // for one packet, the policy's answer included
)

// run serves both sockets until ctx ends or one of them fails. It closes them.
func (p *proxy) run(ctx context.Context, dhcp, boot packetSocket) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make(chan job, dhcpQueue)
	var workers, readers sync.WaitGroup
	count := dhcpWorkers
	if p.leases != nil {
		count = leaseWorkers
	}
	for range count {
		workers.Go(func() {
			for j := range jobs {
				p.serve(ctx, j)
			}
		})
	}
	errs := make(chan error, 2)
	readers.Go(func() { errs <- p.read(dhcp, false, jobs) })
	readers.Go(func() { errs <- p.read(boot, true, jobs) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	cancel()
	closing := errors.Join(dhcp.Close(), boot.Close())
	readers.Wait()
	close(jobs)
	workers.Wait()
	if err != nil {
		return fmt.Errorf("DHCP: %w", err)
	}
	return closing
}

// read moves packets from a socket to the workers. A full queue drops: a burst
// must not make the answers of later clients late.
func (p *proxy) read(s packetSocket, bootPort bool, jobs chan<- job) error {
	return receive(s, func(d datagram) {
		p.count.dhcpReceived.Add(1)
		d.payload = bytes.Clone(d.payload)
		select {
		case jobs <- job{datagram: d, socket: s, bootPort: bootPort}:
		default:
			p.count.dhcpDropped.Add(1)
		}
	}, nil)
}

// serve answers one packet.
func (p *proxy) serve(ctx context.Context, j job) {
	ctx, cancel := context.WithTimeout(ctx, dhcpDeadline)
	defer cancel()
	err := p.handle(ctx, j)
	switch {
	case err == nil:
	case errors.Is(err, errNotOurs):
		p.count.dhcpIgnored.Add(1)
	default:
		p.count.dhcpErrors.Add(1)
		p.log.DebugContext(ctx, "network boot request not answered", "err", err, "from", j.from.String())
	}
}

// handle is match -> classify -> decide -> reply for one packet.
func (p *proxy) handle(ctx context.Context, j job) error {
	iface, ok := p.interfaces.byIndex(j.ifIndex)
	if !ok {
		return errNotOurs
	}
	packet, err := parsePacket(j.payload)
	if err != nil {
		p.count.dhcpMalformed.Add(1)
		return err
	}
	if p.leases != nil && !j.bootPort {
		if done, err := p.leases.handle(ctx, j, iface, packet); done {
			return err
		}
	}
	r, err := classify(packet, j.bootPort)
	if err != nil {
		if !errors.Is(err, errNotOurs) {
			p.count.dhcpMalformed.Add(1)
		}
		return err
	}
	local, s, err := p.site(iface, r, j)
	if err != nil {
		return err
	}
	if !r.directedAt(s.addr, j.bootPort) {
		return errNotOurs
	}
	a, err := p.ask(ctx, r, s)
	if errors.Is(err, errNoLoader) {
		p.warnLoader(ctx, r)
	}
	if errors.Is(err, errShimByHTTP) && p.warned.due("shim http", p.cfg.Now()) {
		p.log.WarnContext(ctx, "a machine asked by UEFI HTTP Boot, after which Debian's GRUB cannot load: it is not answered; start its PXE entry, or choose another way", "mac", r.client.MAC.String())
	}
	if err != nil {
		return fmt.Errorf("client %s: %w", r.client.MAC, err)
	}
	if a == nil {
		p.count.dhcpSilent.Add(1)
		return nil
	}
	return p.send(ctx, j, r, s, *a, local)
}

// warnLoader says that there is no loader for a kind of machine.
func (p *proxy) warnLoader(ctx context.Context, r request) {
	if p.warned.due(r.client.Arch+" "+string(r.client.Firmware), p.cfg.Now()) {
		p.log.WarnContext(ctx, "a machine cannot boot: no loader for it is here; loaders come with the ipxe package at the first image build, others can be added by hand",
			"mac", r.client.MAC.String(), "arch", r.client.Arch, "firmware", string(r.client.Firmware), "wanted", loaderNames(r.client))
	}
}

// site finds the address of ours that the client should use, and the one the
// reply leaves from.
func (p *proxy) site(iface netInterface, r request, j job) (local netip.Addr, s site, err error) {
	peer := j.from.Addr()
	if gi, ok := netip.AddrFromSlice(r.packet.GatewayIPAddr.To4()); ok && !gi.IsUnspecified() {
		peer = gi
	}
	local, ok := iface.addressFor(peer)
	for _, a := range iface.addrs {
		if a.Addr() == j.to { // it was sent to this very address: answer from it
			local = j.to
		}
	}
	s = site{addr: p.cfg.Advertise, httpPort: p.cfg.HTTPPort, httpsPort: p.cfg.HTTPSPort}
	if !s.addr.IsValid() {
		s.addr = local
	}
	if !ok && !s.addr.IsValid() {
		return local, s, fmt.Errorf("interface %s has no IPv4 address to offer", iface.name)
	}
	return local, s, nil
}

// ask brings in the policy and the loaders at hand.
func (p *proxy) ask(ctx context.Context, r request, s site) (*answer, error) {
	if r.kind == kindAgent {
		return decide(r, s, nil, "")
	}
	client := r.client
	client.Server = s.addr
	boot, err := p.cfg.Policy.Peek(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("ask the boot policy: %w", err)
	}
	if boot == nil {
		return nil, nil
	}
	p.booting.note(r.client.MAC)
	loader, err := p.program(r.client, boot)
	if err != nil {
		return nil, err
	}
	return decide(r, s, boot, loader)
}

// loaderNames lists the loaders for a kind of machine, best first. snponly
// comes before ipxe.efi, whose own drivers hang on some machines; the arm64
// names are those of iPXE's releases, for files an administrator adds.
func loaderNames(c Client) []string {
	switch {
	case c.Firmware == BIOS:
		return []string{"undionly.kpxe"}
	case c.Arch == ArchX64:
		return []string{"snponly.efi", "ipxe.efi"}
	case c.Arch == ArchARM64:
		return []string{"snponly-arm64.efi", "ipxe-arm64.efi"}
	case c.Arch == ArchX86:
		return []string{"snponly-i386.efi", "ipxe-i386.efi"}
	}
	return nil
}

func (p *proxy) send(ctx context.Context, j job, r request, s site, a answer, local netip.Addr) error {
	payload := reply(r, s, a).ToBytes()
	to, broadcast := destination(r, j.from, p.cfg.DHCP.clientPort())
	ifIndex := 0
	if broadcast {
		ifIndex = j.ifIndex // a routed reply leaves by whatever interface leads there
	}
	if err := j.socket.Send(payload, to, ifIndex, local); err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	if r.bootServer {
		p.count.dhcpAcks.Add(1)
	} else {
		p.count.dhcpOffers.Add(1)
	}
	p.log.DebugContext(ctx, "answered a network boot request",
		"mac", r.client.MAC.String(), "uuid", r.client.UUID, "firmware", string(r.client.Firmware),
		"arch", r.client.Arch, "loader", r.client.Loader, "file", a.bootFile, "to", to.String())
	return nil
}
