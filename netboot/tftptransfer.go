package netboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// tftpTransfer relays one transfer between the client and the library's own
// socket on loopback. The library knows neither a way to end a transfer that
// waits for its client, nor the address a request was sent to, nor which packets
// were really acknowledged; the relay knows all three.
//
//	client <-> outer (source: the address the client asked) | inner <-> library
type tftpTransfer struct {
	peer    netip.AddrPort
	number  uint64 // of the request, in order of arrival
	request tftpRequest
	file    *File

	acked     bool // guarded by tftpSlots.mu, as is lastHeard
	lastHeard time.Time

	outer *net.UDPConn // connected to the client: the kernel drops other senders' packets
	inner *net.UDPConn // on loopback

	mu        sync.Mutex
	library   netip.AddrPort // the library's socket, once it has sent
	cancelled bool
}

// errCancelled says that the transfer was evicted before it began.
var errCancelled = errors.New("transfer cancelled")

// open opens the two sockets. local is the address the request was sent to;
// unset lets the kernel choose.
func (t *tftpTransfer) open(local netip.Addr) error {
	var from *net.UDPAddr
	if local.IsValid() {
		from = &net.UDPAddr{IP: local.AsSlice()}
	}
	outer, err := net.DialUDP("udp4", from, net.UDPAddrFromAddrPort(t.peer))
	if err != nil {
		return fmt.Errorf("open transfer socket: %w", err)
	}
	inner, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopbackAddr.AsSlice()})
	if err != nil {
		return errors.Join(fmt.Errorf("open transfer socket on loopback: %w", err), outer.Close())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancelled {
		return errors.Join(errCancelled, outer.Close(), inner.Close())
	}
	t.outer, t.inner = outer, inner
	return nil
}

var (
	loopbackAddr  = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	broadcastAddr = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// key is how the library names this client.
func (t *tftpTransfer) key() netip.AddrPort { return t.inner.LocalAddr().(*net.UDPAddr).AddrPort() }

// cancel ends the transfer: the client hears no more, and the library's sender,
// which would wait for seconds, is told that the client gave up. When the
// library has not sent yet, it is told once it does.
func (t *tftpTransfer) cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancelled {
		return
	}
	t.cancelled = true
	if t.outer != nil {
		_ = t.outer.Close()
	}
	t.stopLibrary()
}

// stopLibrary sends the library an ERROR in the client's name; t.mu is held.
func (t *tftpTransfer) stopLibrary() {
	if t.library.IsValid() {
		_, _ = t.inner.WriteToUDPAddrPort(refuseEnded.marshal(), t.library)
	}
}

// close releases the sockets after the library is done with the transfer.
func (t *tftpTransfer) close() {
	t.cancel()
	if t.inner != nil {
		_ = t.inner.Close()
	}
	_ = t.file.Close()
}

// fromLibrary moves the library's packets to the client until the inner socket
// closes. Only DATA and option acknowledgements pass: the library's error texts
// are not for clients.
func (t *tftpTransfer) fromLibrary(maxBlock int) {
	buf := make([]byte, maxBlock+64)
	for {
		n, from, err := t.inner.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n < 4 || !t.meetLibrary(from) {
			continue
		}
		switch binary.BigEndian.Uint16(buf) {
		case tftpData, tftpOACK:
			_, _ = t.outer.Write(buf[:n]) // a refused packet shows in fromClient's read
		case tftpError:
			_, _ = t.outer.Write(refuseEnded.marshal())
		}
	}
}

// meetLibrary learns the library's socket from its first packet and reports
// whether the packet should go on.
func (t *tftpTransfer) meetLibrary(from netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.library.IsValid() && from.Addr() == loopbackAddr {
		t.library = from
	}
	if t.cancelled {
		t.stopLibrary()
	}
	return !t.cancelled && from == t.library
}

// fromClient moves the client's acknowledgements to the library until the
// transfer ends. heard is called for each.
func (t *tftpTransfer) fromClient(heard func()) {
	defer t.cancel() // closed by a cancel, or the client's port is unreachable
	buf := make([]byte, maxTFTPRequest)
	for {
		n, err := t.outer.Read(buf)
		if err != nil {
			return
		}
		if n < 4 {
			continue
		}
		switch binary.BigEndian.Uint16(buf) {
		case tftpAck:
			heard()
			t.toLibrary(buf[:4])
		case tftpError: // "user aborted" after EDK2's size probe: normal
			return
		}
	}
}

func (t *tftpTransfer) toLibrary(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.library.IsValid() && !t.cancelled {
		_, _ = t.inner.WriteToUDPAddrPort(p, t.library)
	}
}
