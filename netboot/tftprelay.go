package netboot

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"time"

	tftp "github.com/pin/tftp/v3"
)

// resend repeats first packets that were not acknowledged.
func (s *tftpServer) resend(ctx context.Context) {
	tick := time.NewTicker(tftpRetransmit / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.tellLost(ctx)
			for _, sock := range s.transfers.list {
				s.endRefused(sock) // those that a call for sending has taken note of
			}
			for _, r := range s.pending.due() {
				s.sent(ctx, r.to, r.socket.Send(r.packet, r.to, 0, r.source))
			}
		}
	}
}

// readTransfers takes what the clients of a socket send within transfers.
func (s *tftpServer) readTransfers(ctx context.Context, sock *udpSocket) error {
	return receive(plainSocket{sock}, func(d datagram) {
		if len(d.payload) < 4 {
			return
		}
		switch binary.BigEndian.Uint16(d.payload) {
		case tftpAck:
			if t := s.slots.find(d.from); t != nil && t.socket == sock {
				t.acknowledged(d.payload[:4])
			} else if p := s.pending.find(d.from, binary.BigEndian.Uint16(d.payload[2:])); p != nil && p.socket == sock {
				s.promote(ctx, p)
			}
		case tftpError: // "user aborted" after EDK2's size probe: normal
			s.pending.remove(d.from)
			if t := s.slots.find(d.from); t != nil {
				t.cancel()
			}
		}
	}, func() { s.endRefused(sock) })
}

// endRefused ends what is on its way to clients that are gone.
func (s *tftpServer) endRefused(sock *udpSocket) {
	for _, peer := range sock.refusals() {
		s.pending.remove(peer)
		if t := s.slots.find(peer); t != nil {
			t.cancel()
		}
	}
}

// promote makes a transfer of an acknowledged request. No slot is a silent no:
// the client repeats its acknowledgement, and an ERROR would make it give up.
func (s *tftpServer) promote(ctx context.Context, p *pendingRequest) {
	if !s.slots.room(p.peer) { // before the policy decides: a one-time answer would be lost
		s.count.tftpDropped.Add(1)
		return
	}
	file, err := s.open(ctx, p.request.name, peers{p.local, p.peer}, true)
	if err != nil {
		s.pending.remove(p.peer)
		s.sent(ctx, p.peer, p.socket.Send(refusalFor(err).marshal(), p.peer, 0, p.local))
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
	if t.window != nil {
		if t.request.window <= 1 {
			s.startSteps(ctx, t)
		}
		s.relay.Go(func() { s.sendWindows(ctx, t) })
		return
	}
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
		t.fromLibrary(func(p []byte) { s.sent(ctx, t.peer, t.socket.Send(p, t.peer, 0, t.local)) })
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
