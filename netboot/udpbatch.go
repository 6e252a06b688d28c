package netboot

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// The most that one call hands to the kernel for cutting (udp(7), UDP_SEGMENT):
// 64 datagrams, and no more than an IP packet holds.
const (
	maxSegments     = 64
	maxSegmentBytes = 65000
)

// SendBatch sends datagrams of equal size, the last one may be shorter, that stand
// one behind the other. The kernel cuts them apart (UDP_SEGMENT, Linux 4.18), or
// gets them by sendmmsg(2) where it cannot.
func (s *udpSocket) SendBatch(packets []byte, size int, to netip.AddrPort, source netip.Addr) error {
	oob := sourceMessage(source)
	if len(packets) <= size || s.noSegments.Load() {
		return s.sendMany(packets, size, to, oob)
	}
	step := min(maxSegments, maxSegmentBytes/size) * size
	for len(packets) > 0 {
		n := min(step, len(packets))
		if n <= size {
			return s.sendMany(packets, size, to, oob)
		}
		err := s.anew(func() error {
			_, _, err := s.conn.WriteMsgUDPAddrPort(packets[:n], segmentMessage(oob, size), to)
			return err
		})
		if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOPROTOOPT) {
			s.noSegments.Store(true) // e.g. an interface without checksums
			return s.sendMany(packets, size, to, oob)
		}
		if errors.Is(err, syscall.EMSGSIZE) { // the path takes less than the link: fragments go one by one
			return s.sendMany(packets, size, to, oob)
		}
		if err != nil {
			return err
		}
		packets = packets[n:]
	}
	return nil
}

// sourceMessage is the control message that makes packets leave from an address.
func sourceMessage(source netip.Addr) []byte {
	cm := &ipv4.ControlMessage{}
	if source.IsValid() {
		cm.Src = source.AsSlice()
	}
	return cm.Marshal()
}

// sendFrom sends one datagram with a control message made before.
func (s *udpSocket) sendFrom(payload []byte, to netip.AddrPort, oob []byte) error {
	return s.anew(func() error {
		_, _, err := s.conn.WriteMsgUDPAddrPort(payload, oob, to)
		return err
	})
}

// plainSocket receives without asking for the interface and destination of each
// packet.
type plainSocket struct{ *udpSocket }

// Receive implements packetSocket.
func (s plainSocket) Receive(buf []byte) (datagram, error) {
	n, from, err := s.conn.ReadFromUDPAddrPort(buf)
	return datagram{payload: buf[:n], from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}, err
}

// segmentMessage appends the control message UDP_SEGMENT.
func segmentMessage(oob []byte, size int) []byte {
	start := len(oob)
	out := make([]byte, start+unix.CmsgSpace(2))
	copy(out, oob)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&out[start]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(out[start+unix.CmsgLen(0):], uint16(size))
	return out
}

// sendMany sends the datagrams by sendmmsg(2).
func (s *udpSocket) sendMany(packets []byte, size int, to netip.AddrPort, oob []byte) error {
	addr := net.UDPAddrFromAddrPort(to)
	list := make([]ipv4.Message, 0, len(packets)/size+1)
	for {
		n := min(size, len(packets))
		list = append(list, ipv4.Message{Buffers: [][]byte{packets[:n]}, OOB: oob, Addr: addr})
		if packets = packets[n:]; len(packets) == 0 {
			break
		}
	}
	for len(list) > 0 {
		n := 0
		err := s.anew(func() (err error) {
			n, err = s.pc.WriteBatch(list, 0)
			return err
		})
		if err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
