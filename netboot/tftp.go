package netboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	tftp "github.com/pin/tftp/v3"
)

// tftpServer serves loaders by TFTP. Requests come in on one socket and are
// answered from another, whose port is the transfer identifier of all clients
// (RFC 1350, section 4: the pair of ports names a transfer). A request becomes
// a transfer with its first acknowledgement; then the library sends.
//
//	request socket -> parse, resolve -> pendingTable -> first packet
//	transfer socket -> pendingTable -> tftpSlots -> tftpTransfer <-> library
type tftpServer struct {
	cfg        *Config
	interfaces func(index int) (netInterface, bool)
	log        *slog.Logger
	count      *Counters
	pending    *pendingTable
	slots      *tftpSlots
	guard      *tftpGuard
	transfers  *transferSockets
	grub       grubWatch
	windows    windowsClients

	mu    sync.Mutex
	byKey map[netip.AddrPort]*tftpTransfer // by the address the library knows
	relay sync.WaitGroup
}

const (
	tftpQueue      = 8192 // requests waiting to be looked at: a burst of thousands fits
	tftpRetransmit = time.Second
	tftpRetries    = 6
	// tftpMaxBlock bounds the block size on links with a huge MTU.
	tftpMaxBlock = 8192
	// blockOverhead is IPv4 header, UDP header and TFTP header.
	blockOverhead = 20 + 8 + 4
)

func newTFTPServer(cfg *Config, ifs *interfaces, count *Counters) *tftpServer {
	return &tftpServer{
		cfg: cfg, interfaces: ifs.byIndex, log: cfg.Logger, count: count,
		pending: newPendingTable(maxPending, maxPendingPerAddress, cfg.Now),
		slots:   newTFTPSlots(cfg.TFTP.Slots, cfg.TFTP.PerAddress, cfg.Now),
		guard:   newTFTPGuard(),
		byKey:   map[netip.AddrPort]*tftpTransfer{},
	}
}

// run serves the request socket until ctx ends or a socket fails, and closes
// it. Transfers under way are cut off: loaders repeat, and a stop should not wait.
func (s *tftpServer) run(ctx context.Context, requests packetSocket) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("TFTP: %w", err)
		}
	}()
	if err := probeLoopback(); err != nil {
		return errors.Join(err, requests.Close())
	}
	if s.transfers, err = listenTransfers(ctx); err != nil {
		return errors.Join(err, requests.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lib := s.library()
	queue := make(chan datagram, tftpQueue)
	errs := make(chan error, 1+len(s.transfers.list))
	var serving, parts sync.WaitGroup
	serving.Go(func() { _ = lib.Serve(s.guard) })
	parts.Go(func() { errs <- s.readRequests(requests, queue) })
	for _, sock := range s.transfers.list {
		parts.Go(func() { errs <- s.readTransfers(ctx, sock) })
	}
	parts.Go(func() { s.resend(ctx) })
	parts.Go(func() {
		for d := range queue {
			s.answer(ctx, requests, d)
		}
	})
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	cancel()
	err = errors.Join(err, requests.Close(), s.transfers.Close(), s.guard.Close())
	parts.Wait() // from here on no transfer begins
	for _, t := range s.slots.all() {
		t.cancel()
	}
	lib.Shutdown()
	serving.Wait()
	s.endUnserved()
	s.relay.Wait()
	return err
}

// library sets up the TFTP library. It listens on no port of its own: requests
// come from the guard, and each transfer has a socket that only loopback reaches.
func (s *tftpServer) library() *tftp.Server {
	lib := tftp.NewServer(s.send, nil)
	lib.SetTimeout(tftpRetransmit)
	lib.SetRetries(tftpRetries)
	lib.SetBackoff(func(int) time.Duration { return 0 })
	lib.SetBlockSizeNegotiation(false) // the guard has capped it by the real interface
	lib.SetBlockSize(tftpMaxBlock)
	return lib
}

// probeLoopback makes the one requirement of the relays clear: network
// namespaces start with the loopback interface down.
func probeLoopback() error {
	c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: loopbackAddr.AsSlice(), Port: 9})
	if err != nil {
		return fmt.Errorf("TFTP needs the loopback interface, which does not answer: run `ip link set lo up`: %w", err)
	}
	return c.Close()
}

// readRequests takes requests off the socket as fast as it can: what does not
// fit the kernel's buffer is lost to its sender for a retransmission time.
func (s *tftpServer) readRequests(socket packetSocket, queue chan<- datagram) error {
	defer close(queue)
	return receive(socket, func(d datagram) {
		s.count.tftpRequests.Add(1)
		d.payload = bytes.Clone(d.payload[:min(len(d.payload), maxTFTPRequest+1)])
		d.at = s.cfg.Now()
		select {
		case queue <- d:
		default:
			s.count.tftpDropped.Add(1)
		}
	}, nil)
}

// answer looks at one request and sends the first packet or a refusal.
func (s *tftpServer) answer(ctx context.Context, socket packetSocket, d datagram) {
	iface, served := s.interfaces(d.ifIndex)
	if !served && !d.from.Addr().IsLoopback() {
		s.count.tftpDropped.Add(1)
		return
	}
	request, refusal := parseTFTP(d.payload)
	if request == nil && refusal == nil {
		s.count.tftpDropped.Add(1)
		return
	}
	if refusal == nil {
		request.bound(iface.mtu)
		refusal = s.begin(ctx, d, *request)
	}
	if refusal != nil {
		s.count.tftpRefused.Add(1)
		s.sent(ctx, d.from, socket.Send(refusal.marshal(), d.from, 0, unicast(d.to)))
	}
}

// sent notes a packet that could not be sent: the client will repeat itself.
func (s *tftpServer) sent(ctx context.Context, to netip.AddrPort, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "TFTP packet not sent", "to", to.String(), "err", err)
	}
}

func maxBlock(mtu int) int {
	if mtu == 0 { // loopback, which is not among the served interfaces
		mtu = 1500
	}
	return max(512, min(mtu-blockOverhead, tftpMaxBlock))
}

func unicast(a netip.Addr) netip.Addr {
	if a == broadcastAddr || a.IsMulticast() {
		return netip.Addr{}
	}
	return a
}

// begin resolves the file, remembers the request and answers it.
func (s *tftpServer) begin(ctx context.Context, d datagram, r tftpRequest) *tftpRefusal {
	over, repeated := s.slots.requested(d.from, r, d.at)
	if repeated {
		return nil
	}
	if over != nil {
		over.cancel()
	}
	file, err := s.open(ctx, r.name, peers{d.to, d.from}, false)
	if err != nil {
		return refusalFor(err)
	}
	defer file.Close()
	first, expect, err := firstPacket(r, file)
	if err != nil {
		s.log.ErrorContext(ctx, "TFTP file cannot be read", "name", r.name, "err", err)
		return refuseInternal
	}
	p := &pendingRequest{socket: s.pending.socket(d.from), peer: d.from, local: unicast(d.to), request: r, first: first, expect: expect}
	if p.socket == nil {
		p.socket = s.transfers.pick()
	}
	s.count.tftpEvicted.Add(int64(s.pending.add(p)))
	s.sent(ctx, p.peer, p.socket.Send(first, p.peer, 0, p.local))
	return nil
}
