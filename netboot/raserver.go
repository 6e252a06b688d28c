package netboot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/ipv6"
)

// raServer answers router solicitations of booting machines, see RAConfig. Links on
// which another router advertises are left alone.
type raServer struct {
	conn       *ipv6.PacketConn
	raw        net.PacketConn
	interfaces *interfaces
	booting    *bootingMachines
	log        *slog.Logger
	count      *Counters
	times      raTimes
	now        func() time.Time

	mu    sync.Mutex
	links map[int]*raLink
	rate  raRate
}

var (
	allNodes   = net.IPAddr{IP: net.ParseIP("ff02::1")}
	allRouters = net.IPAddr{IP: net.ParseIP("ff02::2")}
)

// listenRA opens the socket; nothing is sent yet.
func listenRA(ctx context.Context, cfg *Config, in *interfaces, booting *bootingMachines, count *Counters) (*raServer, error) {
	var lc net.ListenConfig
	raw, err := lc.ListenPacket(ctx, "ip6:ipv6-icmp", "::")
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("no permission for raw sockets: run as root, give the program CAP_NET_RAW, or set ra.answer to off: %w", err)
	}
	if errors.Is(err, syscall.EAFNOSUPPORT) {
		return nil, fmt.Errorf("this machine has no IPv6: switch it on, or set ra.answer to off: %w", err)
	}
	if err != nil {
		return nil, err
	}
	conn := ipv6.NewPacketConn(raw)
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterSolicitation)
	filter.Accept(ipv6.ICMPTypeRouterAdvertisement)
	err = errors.Join(conn.SetICMPFilter(&filter), conn.SetMulticastLoopback(false),
		conn.SetControlMessage(ipv6.FlagInterface|ipv6.FlagHopLimit, true))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set the socket up: %w", err), raw.Close())
	}
	return &raServer{conn: conn, raw: raw, interfaces: in, booting: booting, log: cfg.Logger, count: count,
		times: cfg.RA.times, now: cfg.Now, links: map[int]*raLink{}}, nil
}

// run answers until ctx ends (nil) or the socket fails. It closes the socket.
func (s *raServer) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var asker sync.WaitGroup
	asker.Go(func() { s.askAll(ctx) })
	stop := context.AfterFunc(ctx, func() { s.raw.Close() })
	err := s.read(ctx)
	cancel()
	asker.Wait()
	if stop() {
		err = errors.Join(err, s.raw.Close())
	}
	return err
}

// askAll looks for routers on every served link, those that come later included.
func (s *raServer) askAll(ctx context.Context) {
	tick := time.NewTicker(min(time.Second, s.times.ask/2))
	defer tick.Stop()
	for {
		if list, err := s.interfaces.all(); err == nil {
			for _, i := range list {
				s.ask(i)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ask solicits routers on a link when it is time. A link that cannot send yet (no
// cable, no link-local address) is tried again.
func (s *raServer) ask(i netInterface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	l := s.links[i.index]
	if l == nil {
		// Many switches and cards pass on only what somebody has joined.
		if err := s.conn.JoinGroup(&net.Interface{Index: i.index, Name: i.name}, &allRouters); err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			return
		}
		l = &raLink{}
		s.links[i.index] = l
	}
	if !l.told && l.silent(now, s.times) {
		l.told = true
		s.log.Info("no router advertises here: router solicitations of booting machines are answered", "interface", i.name)
	}
	if !l.asked.IsZero() && now.Sub(l.asked) < s.times.ask {
		return
	}
	if s.send(routerSolicitation(i.mac), allRouters.IP, i.index) != nil {
		return
	}
	l.asked = now
	if l.since.IsZero() {
		l.since = now
	}
}

func (s *raServer) send(message []byte, to net.IP, ifIndex int) error {
	_, err := s.conn.WriteTo(message, &ipv6.ControlMessage{HopLimit: neighborHopLimit, IfIndex: ifIndex}, &net.IPAddr{IP: to})
	return err
}

func (s *raServer) read(ctx context.Context) error {
	buf := make([]byte, 1500)
	failures := 0
	for {
		n, cm, from, err := s.conn.ReadFrom(buf)
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			if failures++; failures > 100 {
				return fmt.Errorf("router solicitations: read: %w", err)
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		failures = 0
		ip, ok := from.(*net.IPAddr)
		if !ok || cm == nil {
			continue
		}
		addr, _ := netip.AddrFromSlice(ip.IP)
		s.handle(ctx, buf[:n], addr, cm.HopLimit, cm.IfIndex)
	}
}

// handle looks at one message, and answers it when everything speaks for it.
func (s *raServer) handle(ctx context.Context, message []byte, from netip.Addr, hopLimit, ifIndex int) {
	iface, ok := s.interfaces.byIndex(ifIndex)
	if !ok {
		return
	}
	m, err := parseNeighbor(message, from, hopLimit)
	if err != nil {
		s.count.raIgnored.Add(1)
		return
	}
	if m.advertisement {
		s.heard(ctx, iface, m.from)
		return
	}
	if !s.due(ifIndex, m) {
		s.count.raIgnored.Add(1)
		return
	}
	if err := s.send(inertAdvertisement(), m.from.AsSlice(), ifIndex); err != nil {
		s.log.DebugContext(ctx, "router solicitation not answered", "mac", m.mac.String(), "err", err)
		return
	}
	s.count.raAnswered.Add(1)
	s.log.DebugContext(ctx, "answered a router solicitation", "mac", m.mac.String(), "interface", iface.name)
}

// due reports whether a solicitation is to be answered.
func (s *raServer) due(ifIndex int, m neighborMessage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[ifIndex]
	return l != nil && l.silent(s.now(), s.times) && s.booting.recent(m.mac) && s.rate.allow(m.mac, s.now(), s.times)
}

// heard keeps us quiet: there is a router, which answers by itself.
func (s *raServer) heard(ctx context.Context, iface netInterface, from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.raForeign.Add(1)
	l := s.links[iface.index]
	if l == nil {
		l = &raLink{}
		s.links[iface.index] = l
	}
	now := s.now()
	if l.foreign.IsZero() || now.Sub(l.foreign) >= s.times.gone {
		s.log.InfoContext(ctx, "a router advertises here: its solicitations are left to it", "interface", iface.name, "router", from.String())
	}
	l.foreign, l.told = now, false
}
