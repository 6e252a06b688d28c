package netboot

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// tftpGuard is the net.PacketConn that the TFTP library serves from. It yields
// only read requests that were parsed, resolved and acknowledged, rewritten by
// us, each with the loopback address of its relay as the sender.
type tftpGuard struct {
	queue chan guarded
	done  chan struct{}
	once  sync.Once
}

type guarded struct {
	payload []byte
	from    netip.AddrPort
}

func newTFTPGuard() *tftpGuard {
	return &tftpGuard{queue: make(chan guarded), done: make(chan struct{})}
}

// push hands a request to the library; false when the guard is closed.
func (g *tftpGuard) push(payload []byte, from netip.AddrPort) bool {
	select {
	case g.queue <- guarded{payload, from}:
		return true
	case <-g.done:
		return false
	}
}

// ReadFrom implements net.PacketConn.
func (g *tftpGuard) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case q := <-g.queue:
		return copy(p, q.payload), net.UDPAddrFromAddrPort(q.from), nil
	case <-g.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements net.PacketConn. The library answers from sockets of its
// own (multi-port mode), so nothing may come this way.
func (g *tftpGuard) WriteTo([]byte, net.Addr) (int, error) { return 0, net.ErrWriteToConnected }

// Close implements net.PacketConn.
func (g *tftpGuard) Close() error {
	g.once.Do(func() { close(g.done) })
	return nil
}

// LocalAddr implements net.PacketConn; the library takes the address family
// from it.
func (g *tftpGuard) LocalAddr() net.Addr { return &net.UDPAddr{IP: loopbackAddr.AsSlice()} }

// SetDeadline and its kin implement net.PacketConn; the library, in multi-port
// mode, does not use them.
func (g *tftpGuard) SetDeadline(time.Time) error      { return nil }
func (g *tftpGuard) SetReadDeadline(time.Time) error  { return nil }
func (g *tftpGuard) SetWriteDeadline(time.Time) error { return nil }
