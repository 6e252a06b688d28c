package netboot

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// tftpTransfer is one transfer whose client has acknowledged our first packet. One
// that asked for a window is sent by us (tftpwindowed.go). Any other it relays between the client and the library's own socket on loopback. The
// library has no way to end a transfer that waits for its client, and does not
// know the address a request was sent to; the relay does.
//
//	client <-> one of the server's transfer sockets | inner <-> library
type tftpTransfer struct {
	socket  *udpSocket // that the client talks to
	peer    netip.AddrPort
	local   netip.Addr // address of ours that the client talks to
	request tftpRequest
	expect  uint16 // what the client has acknowledged: 0 or 1
	file    *File

	// Guarded by tftpSlots.mu.
	startedAt, heardAt time.Time
	heard              int // acknowledgements

	window *windowed    // not nil: we send the file ourselves, and there is no library
	inner  *net.UDPConn // on loopback

	mu        sync.Mutex
	library   netip.AddrPort // the library's socket, once it has sent
	cancelled bool
	moving    bool // the library was sent an acknowledgement of the client
}

var (
	loopbackAddr  = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	broadcastAddr = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// newTransfer opens the loopback side.
func newTransfer(p *pendingRequest, f *File) (*tftpTransfer, error) {
	if p.request.ours() {
		return &tftpTransfer{socket: p.socket, peer: p.peer, local: p.local, request: p.request, file: f, window: newWindowed()}, nil
	}
	inner, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopbackAddr.AsSlice()})
	if err != nil {
		return nil, fmt.Errorf("open transfer socket on loopback: %w", err)
	}
	return &tftpTransfer{socket: p.socket, peer: p.peer, local: p.local, request: p.request, expect: p.expect, file: f, inner: inner}, nil
}

// key is how the library names this client.
func (t *tftpTransfer) key() netip.AddrPort { return t.inner.LocalAddr().(*net.UDPAddr).AddrPort() }

// cancel ends the transfer: nothing more goes to the client, and the library's
// sender, which would wait for seconds, is told that the client gave up. When
// the library has not sent yet, it is told once it does.
func (t *tftpTransfer) cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancelled {
		return
	}
	t.cancelled = true
	if t.window != nil {
		close(t.window.over)
		return
	}
	t.toLibraryLocked(refuseEnded.marshal())
}

// close releases what the transfer holds, after the library is done with it.
func (t *tftpTransfer) close() {
	t.cancel()
	if t.inner != nil {
		_ = t.inner.Close()
	}
	_ = t.file.Close()
}

// toLibrary passes a packet on in the client's name.
func (t *tftpTransfer) toLibrary(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.cancelled {
		t.toLibraryLocked(p)
	}
}

// acknowledged passes an acknowledgement of the client on. A repetition of the
// first one is left out: the library has had it from us.
func (t *tftpTransfer) acknowledged(p []byte) {
	if t.window != nil {
		t.window.acknowledged(binary.BigEndian.Uint16(p[2:]))
		return
	}
	if binary.BigEndian.Uint16(p[2:]) == t.expect && t.firstTime() {
		return
	}
	t.mu.Lock()
	t.moving = true
	t.mu.Unlock()
	t.toLibrary(p)
}

func (t *tftpTransfer) toLibraryLocked(p []byte) {
	if t.library.IsValid() {
		_, _ = t.inner.WriteToUDPAddrPort(p, t.library)
	}
}

// fromLibrary moves the library's packets to the client until the inner socket
// closes.
func (t *tftpTransfer) fromLibrary(toClient func(p []byte)) {
	buf := make([]byte, tftpMaxBlock+64)
	for {
		n, from, err := t.inner.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n < 4 || !t.meetLibrary(from) {
			continue
		}
		if out := t.translate(buf[:n]); out != nil {
			toClient(out)
		}
	}
}

// translate decides on one packet of the library. What the client has had
// already is acknowledged here; the library's error texts are not for clients.
func (t *tftpTransfer) translate(p []byte) []byte {
	switch binary.BigEndian.Uint16(p) {
	case tftpOACK:
		t.toLibrary([]byte{0, tftpAck, 0, 0})
		return nil
	case tftpData:
		if t.expect == 1 && p[2] == 0 && p[3] == 1 && t.firstTime() {
			t.toLibrary([]byte{0, tftpAck, 0, 1})
			return nil
		}
		return p
	case tftpError:
		return refuseEnded.marshal()
	}
	return nil
}

// firstTime is true until the client has acknowledged more than our first
// packet: block number 1 comes around again after 65,535 others.
func (t *tftpTransfer) firstTime() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.moving
}

// meetLibrary learns the library's socket from its first packet and reports
// whether the packet should be looked at.
func (t *tftpTransfer) meetLibrary(from netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !t.library.IsValid() && from.Addr() == loopbackAddr {
		t.library = from
	}
	if t.cancelled {
		t.toLibraryLocked(refuseEnded.marshal())
	}
	return !t.cancelled && from == t.library
}
