package netboot

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

// Foreign is another DHCP server on a segment where we hand out addresses.
type Foreign struct {
	Interface string
	Address   netip.Addr
	Seen      time.Time // the last time
	Ignored   bool      // addresses are handed out all the same (force)
}

// watchTimes say how often other servers are looked for.
type watchTimes struct {
	settle time.Duration // at the start; servers that ping an address first take 3 s to offer it
	calm   time.Duration // between probing DISCOVERs
	alarm  time.Duration // between them while another server is there
	gone   time.Duration // without a sign of it: it is gone
}

func defaultWatchTimes() watchTimes {
	return watchTimes{settle: 4 * time.Second, calm: time.Minute, alarm: 15 * time.Second, gone: time.Minute}
}

// watch looks for other DHCP servers on the segments that we serve: by a DISCOVER
// of our own now and then, and by what others broadcast in between.
type watch struct {
	cfg        *Config
	interfaces *interfaces
	serves     func(netInterface) bool
	own        func(netip.Addr) bool
	log        *slog.Logger
	count      *Counters
	times      watchTimes

	mu       sync.Mutex
	segments map[int]*segment
}

type segment struct {
	name    string
	looked  bool // the first look is over
	foreign Foreign
	suspect bool // a client took another server's offer: look at once
}

// clear reports whether addresses may be offered on an interface: not before it was
// looked at. One where we have no addresses ourselves, behind relays, cannot be watched.
func (w *watch) clear(iface netInterface) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.segments[iface.index]
	if s == nil {
		return !w.serves(iface)
	}
	return s.looked && (!s.foreign.Address.IsValid() || w.cfg.DHCP.Force)
}

// suspect makes the watch look soon: a client named another server. It may lie,
// so that alone is no proof.
func (w *watch) suspect(index int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.segments[index]; s != nil {
		s.suspect = true
	}
}

// foreign lists the other servers that are there now.
func (w *watch) foreign() (out []Foreign) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.segments {
		if s.foreign.Address.IsValid() {
			out = append(out, s.foreign)
		}
	}
	slices.SortFunc(out, func(a, b Foreign) int { return cmp.Compare(a.Interface, b.Interface) })
	return out
}

// served lists the interfaces that are to be watched.
func (w *watch) served() ([]netInterface, error) {
	all, err := w.interfaces.all()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(i netInterface) bool { return !w.serves(i) }), nil
}

// first looks once on every segment before anything is offered. Its error names
// the server that answered.
func (w *watch) first(ctx context.Context) error {
	list, err := w.served()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	errs := make([]error, len(list))
	var looks sync.WaitGroup
	for i, iface := range list {
		looks.Go(func() { errs[i] = w.firstOn(ctx, iface) })
	}
	looks.Wait()
	return errors.Join(errs...)
}

func (w *watch) firstOn(ctx context.Context, iface netInterface) error {
	r, err := openRaw(iface.index, unix.ETH_P_IP, toPort(w.cfg.DHCP.clientPort()))
	if err != nil {
		return err
	}
	defer r.Close()
	if err := w.look(ctx, r, iface); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.segments[iface.index].foreign; f.Address.IsValid() && !f.Ignored {
		return fmt.Errorf("another DHCP server, %s, answers on %s: two would hand out the same addresses. Stop it, or use dhcp.mode proxy beside it, or set dhcp.force", f.Address, iface.name)
	}
	return nil
}

// look sends probing DISCOVERs for the settling time, or until a server answers.
func (w *watch) look(ctx context.Context, r *rawSocket, iface netInterface) error {
	w.mu.Lock()
	if w.segments[iface.index] == nil {
		w.segments[iface.index] = &segment{name: iface.name}
	}
	s := w.segments[iface.index]
	w.mu.Unlock()
	end := time.Now().Add(w.times.settle)
	for try := time.Now(); ctx.Err() == nil && time.Now().Before(end); {
		if !time.Now().Before(try) {
			// A cable that has no link yet fails here; it is watched later.
			_ = r.broadcast(unix.ETH_P_IP, w.discover(iface))
			try = time.Now().Add(w.times.settle / 4)
		}
		if err := w.listen(r, iface, time.Until(earlier(try, end))); err != nil {
			return err
		}
		w.mu.Lock()
		found := s.foreign.Address.IsValid()
		w.mu.Unlock()
		if found {
			break
		}
	}
	w.mu.Lock()
	s.looked = true
	w.mu.Unlock()
	return ctx.Err()
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// discover is the probing DISCOVER: broadcast answers are asked for, and its client
// identifier is nobody's, so that no machine's lease is touched.
func (w *watch) discover(iface netInterface) []byte {
	q := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: iface.mac, Options: dhcpv4.Options{}}
	_, _ = rand.Read(q.TransactionID[:])
	q.SetBroadcast()
	q.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeDiscover))
	q.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClientIdentifier, append([]byte{0}, "slipway-probe"...)))
	q.UpdateOption(dhcpv4.OptParameterRequestList(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter))
	return udpBroadcast(w.cfg.DHCP.clientPort(), w.cfg.DHCP.Port, q.ToBytes())
}

// listen reads for a while and notes every other server that hands out addresses.
func (w *watch) listen(r *rawSocket, iface netInterface, wait time.Duration) error {
	buf := make([]byte, 2048)
	n, err := r.receive(buf, wait)
	if err != nil || n == 0 {
		return err
	}
	if server, ok := foreignServer(buf[:n]); ok && !w.own(server) {
		w.count.leaseForeign.Add(1)
		w.note(iface, server)
	}
	return nil
}

// foreignServer reads the server out of a packet that hands out an address. Other
// proxies (yiaddr 0) do no harm.
func foreignServer(packet []byte) (netip.Addr, bool) {
	from, payload, ok := udpPayload(packet)
	if !ok {
		return netip.Addr{}, false
	}
	p, err := parsePacket(payload)
	if err != nil || p.OpCode != dhcpv4.OpcodeBootReply || unset(p.YourIPAddr) {
		return netip.Addr{}, false
	}
	if t := p.MessageType(); t != dhcpv4.MessageTypeOffer && t != dhcpv4.MessageTypeAck {
		return netip.Addr{}, false
	}
	if id := address4(p.ServerIdentifier()); id.IsValid() {
		return id, true
	}
	return from, !from.IsUnspecified()
}

func (w *watch) note(iface netInterface, server netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.segments[iface.index]
	if s == nil {
		return
	}
	known := s.foreign.Address.IsValid() // or another one: a pair would be told with every answer
	s.foreign = Foreign{Interface: iface.name, Address: server, Seen: w.cfg.Now(), Ignored: w.cfg.DHCP.Force}
	switch {
	case known:
	case w.cfg.DHCP.Force:
		w.log.Warn("another DHCP server is there; addresses are handed out all the same (dhcp.force)", "server", server.String(), "interface", iface.name)
	case s.looked:
		w.log.Error("another DHCP server has turned up: no address is offered until it is gone", "server", server.String(), "interface", iface.name)
	}
}

// run watches until ctx ends. Interfaces that come later are looked at first.
func (w *watch) run(ctx context.Context) error {
	var watchers sync.WaitGroup
	defer watchers.Wait()
	var mu sync.Mutex
	running := map[int]bool{}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		list, _ := w.served() // read again in two seconds
		for _, iface := range list {
			mu.Lock()
			if !running[iface.index] {
				running[iface.index] = true
				watchers.Go(func() {
					if err := w.follow(ctx, iface); err != nil && ctx.Err() == nil {
						w.log.WarnContext(ctx, "an interface cannot be watched for other DHCP servers; it is tried again", "interface", iface.name, "err", err)
					}
					w.forget(iface)
					mu.Lock()
					defer mu.Unlock()
					delete(running, iface.index)
				})
			}
			mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// forget drops what is known of an interface that went away: it may come back on
// another network.
func (w *watch) forget(iface netInterface) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.segments, iface.index)
}

// follow watches one interface until ctx ends or the interface goes away.
func (w *watch) follow(ctx context.Context, iface netInterface) error {
	r, err := openRaw(iface.index, unix.ETH_P_IP, toPort(w.cfg.DHCP.clientPort()))
	if err != nil {
		return err
	}
	defer r.Close()
	w.mu.Lock()
	known := w.segments[iface.index] != nil && w.segments[iface.index].looked
	w.mu.Unlock()
	if !known {
		if err := w.look(ctx, r, iface); err != nil {
			return err
		}
		w.mu.Lock()
		f := w.segments[iface.index].foreign
		w.mu.Unlock()
		if f.Address.IsValid() && !f.Ignored {
			w.log.ErrorContext(ctx, "another DHCP server is there: no address is offered until it is gone", "server", f.Address.String(), "interface", iface.name)
		}
	}
	last := time.Now()
	for ctx.Err() == nil {
		if now := time.Now(); w.due(iface, now.Sub(last)) {
			last = now
			_ = r.broadcast(unix.ETH_P_IP, w.discover(iface))
		}
		if err := w.listen(r, iface, min(w.times.alarm/4, 250*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// due says whether to send a DISCOVER again, and notices that a server has gone.
func (w *watch) due(iface netInterface, since time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.segments[iface.index]
	if f := s.foreign; f.Address.IsValid() && w.cfg.Now().Sub(f.Seen) > w.times.gone {
		w.log.Info("the other DHCP server is gone; addresses are offered again", "server", f.Address.String(), "interface", iface.name)
		s.foreign = Foreign{}
	}
	every := w.times.calm
	if s.foreign.Address.IsValid() || s.suspect {
		every = w.times.alarm
	}
	if since < every {
		return false
	}
	s.suspect = false
	return true
}
