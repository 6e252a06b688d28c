package syslog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	dialTimeout  = 15 * time.Second
	writeTimeout = 30 * time.Second
	// deadAfter is how long sent bytes may stay unacknowledged.
	deadAfter = 60 * time.Second
)

// link is a connection to the collector.
type link struct {
	conn   net.Conn    // messages go in here
	raw    *countConn  // what is under TLS, or conn itself
	broken chan error  // gets the one error that ends the reading side
	stream bool        // messages are counted
	ended  atomic.Bool // by us
	done   chan struct{}
}

// countConn counts the bytes that were handed to the kernel.
type countConn struct {
	net.Conn
	sent atomic.Int64
}

func (c *countConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// dial connects. The caller ends the link with close.
func dial(ctx context.Context, transport, address string, roots *x509.CertPool) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	network := "tcp"
	if transport == "udp" {
		network = "udp"
	}
	conn, err := (&net.Dialer{Control: giveUp}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l := &link{raw: &countConn{Conn: conn}, stream: network == "tcp", broken: make(chan error, 1), done: make(chan struct{})}
	l.conn = l.raw
	if transport == "tls" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		secure := tls.Client(l.raw, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("TLS with %s: %w", address, err)
		}
		l.conn = secure
	}
	go l.listen()
	return l, nil
}

// giveUp bounds how long the kernel tries to get bytes across (tcp(7)).
func giveUp(network, _ string, c syscall.RawConn) error {
	if network[:3] != "tcp" {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
	})
	if err == nil {
		err = failed
	}
	return err
}

// listen notices the end of the connection; collectors say nothing, and what they
// say is thrown away. It ends with close.
func (l *link) listen() {
	defer close(l.done)
	_, err := io.Copy(io.Discard, onlyReader{l.conn})
	if err == nil {
		err = io.EOF
	}
	if l.ended.Load() {
		err = net.ErrClosed
	}
	l.broken <- err
}

// onlyReader keeps io.Copy from using anything but Read.
type onlyReader struct{ r io.Reader }

func (o onlyReader) Read(p []byte) (int, error) { return o.r.Read(p) }

// send hands one message to the kernel.
func (l *link) send(message []byte) error {
	if l.stream {
		message = append([]byte(strconv.Itoa(len(message))+" "), message...)
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := l.conn.Write(message)
	return err
}

// sent is the count of bytes handed to the kernel, acknowledged that of those which
// the collector's machine has confirmed. Datagrams count as confirmed.
func (l *link) sent() int64 { return l.raw.sent.Load() }

func (l *link) acknowledged() (int64, error) {
	sent := l.sent()
	socket, ok := l.raw.Conn.(*net.TCPConn)
	if !ok {
		return sent, nil
	}
	control, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var waiting int
	var failed error
	err = control.Control(func(fd uintptr) { waiting, failed = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err == nil {
		err = failed
	}
	return sent - int64(waiting), err
}

// close ends the connection and waits for its goroutine.
func (l *link) close() {
	l.ended.Store(true)
	_ = l.raw.Close()
	<-l.done
}

// readRoots reads the authorities of the collector; nil for those of the system.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("audit.syslog_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("audit.syslog_ca: %s holds no certificate in PEM form", file)
	}
	return pool, nil
}
