package netboot

import (
	"context"
	"net/netip"
	"slices"
)

// listenLeases reads the leases and looks for other DHCP servers, so that the
// appliance does not start beside one.
func (s *Server) listenLeases(ctx context.Context) error {
	if s.cfg.DHCP.Off || len(s.cfg.DHCP.Subnets) == 0 || s.leases != nil {
		return nil
	}
	// Our own addresses must be known before anything is offered.
	if _, err := s.interfaces.all(); err != nil {
		return err
	}
	p, err := newPool(ctx, s.cfg.DHCP.Subnets, s.cfg.DHCP.Leases, s.cfg.Now, s.interfaces.own)
	if err != nil {
		return err
	}
	w := &watch{cfg: &s.cfg, interfaces: s.interfaces, own: s.interfaces.own, log: s.cfg.Logger, count: &s.count,
		times: s.cfg.DHCP.times, segments: map[int]*segment{},
		serves: func(i netInterface) bool {
			return slices.ContainsFunc(i.addrs, func(a netip.Prefix) bool { return p.subnetOf(a.Addr()) != nil })
		}}
	if err := w.first(ctx); err != nil {
		return err
	}
	s.leases = &leaseServer{cfg: &s.cfg, pool: p, probe: probeAddress, watch: w, log: s.cfg.Logger, count: &s.count}
	return nil
}

// LeaseFigures returns how many addresses are leased; ok is false when none are
// handed out. It may be called after Listen.
func (s *Server) LeaseFigures() (f LeaseFigures, ok bool) {
	if s.leases == nil {
		return f, false
	}
	return s.leases.pool.figures(), true
}

// Foreign lists the other DHCP servers on segments where we hand out addresses.
// While there is one, no address is offered there unless that is forced.
func (s *Server) Foreign() []Foreign {
	if s.leases == nil {
		return nil
	}
	return s.leases.watch.foreign()
}
