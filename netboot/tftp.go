package netboot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"strings"
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
	transfers  packetSocket

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
	if s.transfers, err = listenPort(ctx, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), false); err != nil {
		return errors.Join(err, requests.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lib := s.library()
	queue := make(chan datagram, tftpQueue)
	errs := make(chan error, 2)
	var serving, parts sync.WaitGroup
	serving.Go(func() { _ = lib.Serve(s.guard) })
	parts.Go(func() { errs <- s.readRequests(requests, queue) })
	parts.Go(func() { errs <- s.readTransfers(ctx) })
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

// receive reads a socket until it is closed. An interface going down may show as
// an error that the socket outlives; only a lasting failure is one.
func receive(socket packetSocket, each func(d datagram)) error {
	buf := make([]byte, 64<<10)
	failures := 0
	for {
		d, err := socket.Receive(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			if failures++; failures > 100 {
				return fmt.Errorf("read: %w", err)
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		failures = 0
		each(d)
	}
}

// readRequests takes requests off the socket as fast as it can: what does not
// fit the kernel's buffer is lost to its sender for a retransmission time.
func (s *tftpServer) readRequests(socket packetSocket, queue chan<- datagram) error {
	defer close(queue)
	return receive(socket, func(d datagram) {
		s.count.tftpRequests.Add(1)
		d.payload = bytes.Clone(d.payload[:min(len(d.payload), maxTFTPRequest+1)])
		select {
		case queue <- d:
		default:
			s.count.tftpDropped.Add(1)
		}
	})
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
		request.blksize = min(request.blksize, maxBlock(iface.mtu))
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
	over, repeated := s.slots.requested(d.from, r)
	if repeated {
		return nil
	}
	if over != nil {
		over.cancel()
	}
	file, err := s.open(ctx, r.name, d.to)
	if err != nil {
		return refusalFor(err)
	}
	defer file.Close()
	first, expect, err := firstPacket(r, file)
	if err != nil {
		s.log.ErrorContext(ctx, "TFTP file cannot be read", "name", r.name, "err", err)
		return refuseInternal
	}
	p := &pendingRequest{peer: d.from, local: unicast(d.to), request: r, first: first, expect: expect}
	s.count.tftpEvicted.Add(int64(s.pending.add(p)))
	s.sent(ctx, p.peer, s.transfers.Send(first, p.peer, 0, p.local))
	return nil
}

func (s *tftpServer) open(ctx context.Context, name string, local netip.Addr) (*File, error) {
	f, err := s.resolve(name, local)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.ErrorContext(ctx, "TFTP file cannot be opened", "name", name, "err", err)
	}
	return f, err
}

func refusalFor(err error) *tftpRefusal {
	if errors.Is(err, fs.ErrNotExist) {
		return refuseNotFound
	}
	return refuseInternal
}

// resend repeats first packets that were not acknowledged.
func (s *tftpServer) resend(ctx context.Context) {
	tick := time.NewTicker(tftpRetransmit / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, r := range s.pending.due() {
				s.sent(ctx, r.to, s.transfers.Send(r.packet, r.to, 0, r.source))
			}
		}
	}
}

// readTransfers takes what clients send within transfers.
func (s *tftpServer) readTransfers(ctx context.Context) error {
	return receive(s.transfers, func(d datagram) {
		if len(d.payload) < 4 {
			return
		}
		switch binary.BigEndian.Uint16(d.payload) {
		case tftpAck:
			if t := s.slots.find(d.from); t != nil {
				t.acknowledged(d.payload[:4])
			} else if p := s.pending.find(d.from, binary.BigEndian.Uint16(d.payload[2:])); p != nil {
				s.promote(ctx, p)
			}
		case tftpError: // "user aborted" after EDK2's size probe: normal
			s.pending.remove(d.from)
			if t := s.slots.find(d.from); t != nil {
				t.cancel()
			}
		}
	})
}

// promote makes a transfer of an acknowledged request. No slot is a silent no:
// the client repeats its acknowledgement, and an ERROR would make it give up.
func (s *tftpServer) promote(ctx context.Context, p *pendingRequest) {
	file, err := s.open(ctx, p.request.name, p.local)
	if err != nil {
		s.pending.remove(p.peer)
		s.sent(ctx, p.peer, s.transfers.Send(refusalFor(err).marshal(), p.peer, 0, p.local))
		return
	}
	t, err := newTransfer(p, file)
	if err != nil {
		_ = file.Close()
		s.count.tftpDropped.Add(1)
		s.log.ErrorContext(ctx, "TFTP transfer cannot start", "err", err)
		return
	}
	evicted, ok := s.slots.admit(t)
	if evicted != nil {
		s.count.tftpEvicted.Add(1)
		evicted.cancel()
	}
	if !ok {
		s.count.tftpDropped.Add(1)
		t.close()
		return
	}
	s.pending.remove(p.peer)
	s.launch(ctx, t)
}

// launch starts the relay and hands the request to the library.
func (s *tftpServer) launch(ctx context.Context, t *tftpTransfer) {
	s.mu.Lock()
	s.byKey[t.key()] = t
	s.mu.Unlock()
	s.count.tftpStarted.Add(1)
	s.count.tftpActive.Add(1)
	s.relay.Go(func() {
		t.fromLibrary(func(p []byte) { s.sent(ctx, t.peer, s.transfers.Send(p, t.peer, 0, t.local)) })
	})
	if !s.guard.push(t.request.marshal(), t.key()) {
		s.end(t)
	}
}

// errUnknownTransfer cannot happen: the guard hands out only registered ones.
var errUnknownTransfer = errors.New(refuseEnded.text)

// send is the library's read handler: it runs for as long as the transfer.
func (s *tftpServer) send(_ string, rf io.ReaderFrom) error {
	out, ok := rf.(tftp.OutgoingTransfer)
	if !ok {
		return errUnknownTransfer
	}
	remote := out.RemoteAddr()
	key := remote.AddrPort()
	s.mu.Lock()
	t := s.byKey[netip.AddrPortFrom(key.Addr().Unmap(), key.Port())]
	s.mu.Unlock()
	if t == nil {
		return errUnknownTransfer
	}
	defer s.end(t)
	n, err := rf.ReadFrom(t.file)
	if err != nil {
		s.count.tftpFailed.Add(1)
		s.log.Debug("TFTP transfer ended early", "client", t.peer.String(), "file", t.request.name, "err", err)
		return errors.New(refuseEnded.text)
	}
	s.count.tftpCompleted.Add(1)
	s.log.Info("TFTP transfer done", "client", t.peer.String(), "file", t.request.name, "bytes", n)
	return nil
}

// end forgets a transfer and releases all it holds.
func (s *tftpServer) end(t *tftpTransfer) {
	s.mu.Lock()
	_, present := s.byKey[t.key()]
	delete(s.byKey, t.key())
	s.mu.Unlock()
	if !present {
		return
	}
	s.slots.release(t)
	s.count.tftpActive.Add(-1)
	t.close()
}

// endUnserved ends what was pushed but never picked up by the library.
func (s *tftpServer) endUnserved() {
	s.mu.Lock()
	var left []*tftpTransfer
	for _, t := range s.byKey {
		left = append(left, t)
	}
	s.mu.Unlock()
	for _, t := range left {
		s.end(t)
	}
}

// resolve finds the file for a requested name: `\` is `/`, leading and repeated
// slashes and case do not matter, and no name leads out of the root.
func (s *tftpServer) resolve(name string, local netip.Addr) (*File, error) {
	clean, ok := cleanTFTPName(name)
	if !ok {
		return nil, fs.ErrNotExist
	}
	f, err := s.cfg.Loaders.Open(clean)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if folder, can := s.cfg.Loaders.(Folder); can {
		if found, ok := folder.Fold(clean); ok {
			return s.cfg.Loaders.Open(found)
		}
	}
	if strings.EqualFold(clean, "autoexec.ipxe") {
		return s.autoexec(local)
	}
	return nil, fs.ErrNotExist
}

// cleanTFTPName turns a client's spelling into a relative path of plain names.
func cleanTFTPName(name string) (string, bool) {
	var parts []string
	for p := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		if p == "" || p == "." {
			continue
		}
		if !safeSegment(p) {
			return "", false
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, "/"), len(parts) > 0
}

// autoexec is the generated script for loaders that look for one.
func (s *tftpServer) autoexec(local netip.Addr) (*File, error) {
	st := site{addr: s.cfg.Advertise, httpPort: s.cfg.HTTPPort, httpsPort: s.cfg.HTTPSPort}
	if !st.addr.IsValid() {
		st.addr = unicast(local)
	}
	if !st.addr.IsValid() {
		return nil, fs.ErrNotExist
	}
	text := autoexecScript(st)
	return &File{ReadSeekCloser: nopCloser{strings.NewReader(text)}, Size: int64(len(text))}, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }
