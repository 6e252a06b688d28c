package netboot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"golang.org/x/sync/errgroup"
)

// Server is network boot as a whole: proxyDHCP and TFTP on sockets of its own,
// and an http.Handler that the caller serves.
type Server struct {
	cfg        Config
	count      Counters
	interfaces *interfaces
	handler    *httpHandler

	dhcp, boot, tftp packetSocket
	leases           *leaseServer // set by Listen when addresses are handed out
	ra               *raServer    // set by Listen when router solicitations are answered
}

// New checks the configuration. It opens nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults()}
	s.interfaces = &interfaces{names: s.cfg.Interfaces, list: systemInterfaces, now: s.cfg.Now}
	s.handler = newHTTPHandler(&s.cfg, &s.count)
	return s, nil
}

// Handler serves /boot/: boot images, loaders and scripts. Mount it as the root
// of its listener, not below an http.ServeMux, which redirects "//".
func (s *Server) Handler() http.Handler { return s.handler }

// Counters returns the live counters.
func (s *Server) Counters() *Counters { return &s.count }

// Interfaces lists the names of the interfaces that are served now, and those of the
// configuration that are not: no interface has the name, it is down, or the loopback.
// They are served as soon as they come up.
func (s *Server) Interfaces() (served, missing []string, err error) { return s.interfaces.state() }

// Listen opens the sockets, so that a port in use or a missing permission is
// known before anything else starts. Run does it when it was not called.
func (s *Server) Listen(ctx context.Context) error {
	any4 := netip.IPv4Unspecified()
	var err error
	if !s.cfg.DHCP.Off && s.dhcp == nil {
		// An ordinary DHCP server may live on the same machine: share 67. Nothing
		// else has a place on 4011, and sharing would hide that it is taken.
		if s.dhcp, err = listenPort(ctx, netip.AddrPortFrom(any4, s.cfg.DHCP.Port), true); err != nil {
			return errors.Join(fmt.Errorf("DHCP: %w", err), s.Close())
		}
		if s.boot, err = listenPort(ctx, netip.AddrPortFrom(any4, s.cfg.DHCP.PXEPort), false); err != nil {
			return errors.Join(fmt.Errorf("DHCP: %w", err), s.Close())
		}
	}
	if err := s.listenLeases(ctx); err != nil {
		return errors.Join(fmt.Errorf("DHCP: %w", err), s.Close())
	}
	if s.cfg.RA.Answer && s.dhcp != nil && s.ra == nil {
		booting := newBootingMachines(s.cfg.Now, s.cfg.RA.times.fresh)
		if s.ra, err = listenRA(ctx, &s.cfg, s.interfaces, booting, &s.count); err != nil {
			return errors.Join(fmt.Errorf("router advertisements: %w", err), s.Close())
		}
	}
	if !s.cfg.TFTP.Off && s.tftp == nil {
		if s.tftp, err = listenPort(ctx, s.cfg.TFTP.Listen, false); err != nil {
			return errors.Join(fmt.Errorf("TFTP: %w", err), s.Close())
		}
	}
	return nil
}

// listenPort keeps a nil *udpSocket out of the interface.
func listenPort(ctx context.Context, addr netip.AddrPort, shared bool) (packetSocket, error) {
	sock, err := listenUDP(ctx, addr, shared)
	if err != nil {
		return nil, err
	}
	return sock, nil
}

// Close closes sockets that Listen opened, for a caller that will not Run.
func (s *Server) Close() error {
	var errs []error
	for _, sock := range []*packetSocket{&s.dhcp, &s.boot, &s.tftp} {
		if *sock != nil {
			errs = append(errs, (*sock).Close())
			*sock = nil
		}
	}
	if s.ra != nil {
		errs = append(errs, s.ra.raw.Close())
		s.ra = nil
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends (nil) or a part fails (its error). It may be called
// once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		s.interfaces.tell(ctx, s.cfg.Logger)
		return nil
	})
	if s.dhcp != nil {
		p := &proxy{cfg: &s.cfg, interfaces: s.interfaces, log: s.cfg.Logger, count: &s.count, leases: s.leases}
		if s.leases != nil {
			s.leases.proxy = p
			group.Go(func() error { return s.leases.watch.run(ctx) })
		}
		if s.ra != nil {
			p.booting = s.ra.booting
			group.Go(func() error { return s.ra.run(ctx) })
		}
		group.Go(func() error { return p.run(ctx, s.dhcp, s.boot) })
	}
	if s.tftp != nil {
		t := newTFTPServer(&s.cfg, s.interfaces, &s.count)
		group.Go(func() error { return t.run(ctx, s.tftp) })
	}
	if s.dhcp == nil && s.tftp == nil {
		<-ctx.Done()
	}
	return group.Wait()
}
