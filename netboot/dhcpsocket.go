package netboot

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// datagram is one received packet with what the kernel knows of it.
type datagram struct {
	payload []byte
	from    netip.AddrPort
	to      netip.Addr // destination address of the packet
	ifIndex int
	at      time.Time // when it was read; of TFTP requests only
}

// packetSocket is a UDP socket that tells the interface of each packet.
// Closing it ends a blocked Receive with net.ErrClosed.
type packetSocket interface {
	Receive(buf []byte) (datagram, error)
	// Send sends from the given interface and source address.
	Send(payload []byte, to netip.AddrPort, ifIndex int, source netip.Addr) error
	Close() error
}

type udpSocket struct {
	conn          *net.UDPConn
	pc            *ipv4.PacketConn
	hearsRefusals bool
	noSegments    atomic.Bool // the kernel does not cut datagrams for us
}

// hearRefusals makes the kernel keep the ICMP errors that come back for what was
// sent, with the address it was sent to (ip(7), IP_RECVERR).
func (s *udpSocket) hearRefusals() error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1) }); err != nil {
		return err
	}
	s.hearsRefusals = set == nil
	return set
}

// refusals returns the addresses whose host said, since the last call, that nobody
// listens there or that it cannot be reached.
func (s *udpSocket) refusals() (out []netip.AddrPort) {
	if !s.hearsRefusals {
		return nil
	}
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		var payload [64]byte
		var oob [512]byte
		for {
			_, n, _, from, err := unix.Recvmsg(int(fd), payload[:], oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return // EAGAIN: the queue is empty
			}
			// A router that wants smaller packets has told the kernel, which cuts them.
			if a, ok := from.(*unix.SockaddrInet4); ok && isRefusal(queuedError(oob[:n])) {
				out = append(out, netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)))
			}
		}
	})
	return out
}

// queuedError reads what an entry of the error queue is about (struct
// sock_extended_err), nil when it does not say.
func queuedError(oob []byte) error {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR && len(m.Data) >= 4 {
			return syscall.Errno(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return nil
}

// listenUDP opens a UDP socket on all addresses of the port. shared allows
// another program of this machine to listen on the same port (an ordinary DHCP
// server on 67); broadcasts then reach both.
func listenUDP(ctx context.Context, addr netip.AddrPort, shared bool) (*udpSocket, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		ctl := c.Control(func(fd uintptr) { err = socketOptions(int(fd), shared) })
		return errors.Join(ctl, err)
	}}
	conn, err := lc.ListenPacket(ctx, "udp4", addr.String())
	if err != nil {
		return nil, listenError("UDP", addr.Port(), err)
	}
	pc := ipv4.NewPacketConn(conn)
	if err := pc.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true); err != nil {
		return nil, errors.Join(fmt.Errorf("ask for the interface of packets: %w", err), conn.Close())
	}
	return &udpSocket{conn: conn.(*net.UDPConn), pc: pc}, nil
}

// receiveBuffer holds the requests of a burst until the reader has run:
// 5,000 requests of some 800 bytes kernel memory each.
const receiveBuffer = 4 << 20

func socketOptions(fd int, shared bool) error {
	if shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("SO_REUSEADDR: %w", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
		return fmt.Errorf("SO_BROADCAST: %w", err)
	}
	// The forced form goes beyond net.core.rmem_max but needs CAP_NET_ADMIN; a
	// smaller buffer only means that clients repeat themselves.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	return nil
}

func (s *udpSocket) Receive(buf []byte) (datagram, error) {
	n, cm, from, err := s.pc.ReadFrom(buf)
	if err != nil {
		return datagram{}, err
	}
	d := datagram{payload: buf[:n]}
	if u, ok := from.(*net.UDPAddr); ok {
		ap := u.AddrPort()
		d.from = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if cm != nil {
		d.ifIndex = cm.IfIndex
		d.to, _ = netip.AddrFromSlice(cm.Dst.To4())
	}
	return d, nil
}

func (s *udpSocket) Send(payload []byte, to netip.AddrPort, ifIndex int, source netip.Addr) error {
	cm := &ipv4.ControlMessage{IfIndex: ifIndex}
	if source.IsValid() {
		cm.Src = source.AsSlice()
	}
	return s.anew(func() error {
		_, err := s.pc.WriteTo(payload, cm, net.UDPAddrFromAddrPort(to))
		return err
	})
}

// anew tries once more where a socket hears of refused packets: the error that a
// call returns is then an earlier packet's, to anybody, and this one was not sent.
func (s *udpSocket) anew(send func() error) error {
	err := send()
	for range maxStaleErrors {
		if !s.hearsRefusals || !isReported(err) {
			return err
		}
		err = send()
	}
	return err
}

// maxStaleErrors is how many errors of earlier packets are passed over.
const maxStaleErrors = 8

func isRefusal(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// isReported tells the errors that ICMP messages become on a socket that hears of
// them: anybody who got a packet can send any of these, so none is the socket's own.
func isReported(err error) bool {
	return isRefusal(err) || slices.ContainsFunc([]error{syscall.EHOSTDOWN, syscall.ENONET, syscall.ENOPROTOOPT, syscall.EOPNOTSUPP,
		syscall.EPROTO, syscall.EMSGSIZE}, func(reported error) bool { return errors.Is(err, reported) })
}

func (s *udpSocket) Close() error { return s.conn.Close() }

// receive reads a socket until it is closed. An interface going down may show as
// an error that the socket outlives; only a lasting failure is one. The payload
// is good until each returns. refused is called when packets came back, see
// hearRefusals; it may be nil.
func receive(socket packetSocket, each func(d datagram), refused func()) error {
	buf := make([]byte, 64<<10)
	failures := 0
	for {
		d, err := socket.Receive(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil && refused != nil && isReported(err) {
			refused()
			continue
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

// listenError makes one clear line of a failed listen that says what to do.
func listenError(proto string, port uint16, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s port %d is in use by another program: stop it or choose another port (`ss -lnp` names it): %w", proto, port, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("no permission to listen on %s port %d: run as root or give the program CAP_NET_BIND_SERVICE: %w", proto, port, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s port %d: this machine does not have the configured address: %w", proto, port, err)
	}
	return fmt.Errorf("cannot listen on %s port %d: %w", proto, port, err)
}
