package main

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// maxPerAddress is how many connections one address may have to the boot server. A
// machine needs one or two; a room of them behind one router (NAT) starts together.
// What one address can hold is thereby bounded, and far from all file descriptors.
const maxPerAddress = 256

// crowdWarning is how often a refusal is logged.
const crowdWarning = time.Minute

// crowdListener closes new connections of addresses that have too many.
type crowdListener struct {
	net.Listener
	most int
	log  *slog.Logger

	mu     sync.Mutex
	count  map[netip.Addr]int
	warned time.Time
}

func newCrowdListener(l net.Listener, most int, log *slog.Logger) *crowdListener {
	return &crowdListener{Listener: l, most: most, log: log, count: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (l *crowdListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		t, ok := c.(*net.TCPConn)
		if !ok {
			return c, nil
		}
		from := t.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if l.enter(from) {
			return &crowdConn{TCPConn: t, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		_ = t.Close()
	}
}

func (l *crowdListener) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count[from] < l.most {
		l.count[from]++
		return true
	}
	if now := time.Now(); now.Sub(l.warned) > crowdWarning {
		l.warned = now
		l.log.Warn("an address has too many connections to the boot server: further ones are closed", "address", from.String(), "connections", l.most)
	}
	return false
}

func (l *crowdListener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count[from]--; l.count[from] == 0 {
		delete(l.count, from)
	}
}

// crowdConn is counted until it is closed.
type crowdConn struct {
	*net.TCPConn
	leave func()
}

// Close implements net.Conn.
func (c *crowdConn) Close() error {
	defer c.leave()
	return c.TCPConn.Close()
}
