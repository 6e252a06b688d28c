package netboot

import (
	"bytes"
	"context"
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

// tftpServer serves loaders by TFTP: a reader takes requests off the socket at
// once, starters parse, resolve and admit them, the library sends.
type tftpServer struct {
	cfg        *Config
	interfaces func(index int) (netInterface, bool)
	log        *slog.Logger
	count      *Counters
	slots      *tftpSlots
	guard      *tftpGuard

	mu    sync.Mutex
	byKey map[netip.AddrPort]*tftpTransfer // by the address the library knows
	relay sync.WaitGroup
}

const (
	tftpQueue      = 8192 // requests waiting, some 600 bytes each: a burst of thousands fits
	tftpStarters   = 4
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
		slots: &tftpSlots{max: cfg.TFTP.Slots, perAddress: cfg.TFTP.PerAddress, now: cfg.Now},
		guard: newTFTPGuard(0),
		byKey: map[netip.AddrPort]*tftpTransfer{},
	}
}

// run serves the socket until ctx ends or the socket fails, and closes it.
// Transfers under way are cut off: loaders repeat, and a stop should not wait.
func (s *tftpServer) run(ctx context.Context, socket packetSocket) error {
	if err := probeLoopback(); err != nil {
		return errors.Join(err, socket.Close())
	}
	lib := tftp.NewServer(s.send, nil)
	lib.SetTimeout(tftpRetransmit)
	lib.SetRetries(tftpRetries)
	lib.SetBackoff(func(int) time.Duration { return 0 })
	lib.SetBlockSizeNegotiation(false) // the guard has capped it by the real interface
	lib.SetBlockSize(tftpMaxBlock)

	var serving, starters sync.WaitGroup
	serving.Go(func() { _ = lib.Serve(s.guard) })
	queue := newRequestStack(tftpQueue)
	for range tftpStarters {
		starters.Go(func() {
			for d, ok := queue.pop(); ok; d, ok = queue.pop() {
				s.start(ctx, socket, d)
			}
		})
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	err := s.read(socket, queue)
	queue.close()
	_ = s.guard.Close() // before the starters end: one may wait to push
	starters.Wait()
	for _, t := range s.slots.all() {
		t.cancel()
	}
	lib.Shutdown()
	serving.Wait()
	s.endUnserved()
	s.relay.Wait()
	if stop() {
		err = errors.Join(err, socket.Close())
	}
	if err != nil {
		return fmt.Errorf("TFTP: %w", err)
	}
	return nil
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

// read takes requests off the socket as fast as it can: what does not fit the
// kernel's buffer is lost to its sender for a retransmission time.
func (s *tftpServer) read(socket packetSocket, queue *requestStack) error {
	buf := make([]byte, 64<<10)
	failures := 0
	for number := uint64(0); ; number++ {
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
		s.count.tftpRequests.Add(1)
		d.number = number
		d.payload = bytes.Clone(d.payload[:min(len(d.payload), maxTFTPRequest+1)])
		if queue.push(d) {
			s.count.tftpDropped.Add(1)
		}
	}
}

// start takes one request from the wire to the library.
func (s *tftpServer) start(ctx context.Context, socket packetSocket, d datagram) {
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
		refusal = s.begin(ctx, d, *request, maxBlock(iface.mtu))
	}
	if refusal != nil {
		s.count.tftpRefused.Add(1)
		if err := socket.Send(refusal.marshal(), d.from, 0, unicast(d.to)); err != nil {
			s.log.DebugContext(ctx, "TFTP refusal not sent", "to", d.from.String(), "err", err)
		}
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

// begin resolves the file and starts the transfer. No slot is a silent no: the
// client repeats itself, and an ERROR would make it give up.
func (s *tftpServer) begin(ctx context.Context, d datagram, r tftpRequest, maxBlock int) *tftpRefusal {
	file, err := s.resolve(r.name, d.to)
	if errors.Is(err, fs.ErrNotExist) {
		return refuseNotFound
	}
	if err != nil {
		s.log.ErrorContext(ctx, "TFTP file cannot be opened", "name", r.name, "err", err)
		return refuseInternal
	}
	t := &tftpTransfer{peer: d.from, number: d.number, request: r, file: file}
	evicted, duplicate, ok := s.slots.admit(t)
	for _, v := range evicted {
		s.count.tftpEvicted.Add(1)
		v.cancel()
	}
	if !ok {
		if !duplicate {
			s.count.tftpDropped.Add(1)
		}
		t.close()
		return nil
	}
	if err := t.open(unicast(d.to)); err != nil {
		s.slots.release(t)
		t.close()
		s.count.tftpDropped.Add(1)
		if !errors.Is(err, errCancelled) {
			s.log.ErrorContext(ctx, "TFTP transfer cannot start", "err", err)
		}
		return nil
	}
	s.launch(t, maxBlock)
	return nil
}

// launch starts the relay and hands the request to the library.
func (s *tftpServer) launch(t *tftpTransfer, maxBlock int) {
	s.mu.Lock()
	s.byKey[t.key()] = t
	s.mu.Unlock()
	s.count.tftpStarted.Add(1)
	s.count.tftpActive.Add(1)
	s.relay.Go(func() { t.fromLibrary(maxBlock) })
	s.relay.Go(func() { t.fromClient(func() { s.slots.heard(t) }) })
	if !s.guard.push(t.request.marshal(maxBlock), t.key()) {
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
	out.SetSize(t.file.Size)
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
