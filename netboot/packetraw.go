package netboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// rawSocket sees and sends packets of one interface below UDP: what is addressed
// to other clients, and ARP.
type rawSocket struct {
	fd, index int
}

// openRaw opens a raw socket for an Ethernet protocol. filter keeps everything
// else in the kernel.
func openRaw(index int, protocol uint16, filter []bpf.Instruction) (*rawSocket, error) {
	// Protocol 0 until the filter stands: nothing unfiltered gets in.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("no permission for raw sockets: run as root or give the program CAP_NET_RAW: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	r := &rawSocket{fd: fd, index: index}
	if err := r.attach(filter); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: swap16(protocol), Ifindex: index}); err != nil {
		return nil, errors.Join(fmt.Errorf("raw socket on interface %d: %w", index, err), r.Close())
	}
	return r, nil
}

func (r *rawSocket) attach(filter []bpf.Instruction) error {
	if len(filter) == 0 {
		return nil
	}
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return fmt.Errorf("packet filter: %w", err)
	}
	prog := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		prog[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	err = unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
	if err != nil {
		return fmt.Errorf("packet filter: %w", err)
	}
	return nil
}

// receive returns the next packet that came in, without its Ethernet header; n is
// 0 when none did within the wait.
func (r *rawSocket) receive(buf []byte, wait time.Duration) (n int, err error) {
	deadline := time.Now().Add(wait)
	for {
		left := time.Until(deadline)
		if left < time.Millisecond {
			return 0, nil
		}
		tv := unix.NsecToTimeval(left.Nanoseconds())
		if err := unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return 0, err
		}
		n, from, err := unix.Recvfrom(r.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue // our own
		}
		return n, nil
	}
}

// broadcast sends a packet to everybody on the segment.
func (r *rawSocket) broadcast(protocol uint16, packet []byte) error {
	to := &unix.SockaddrLinklayer{Protocol: swap16(protocol), Ifindex: r.index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
	return unix.Sendto(r.fd, packet, 0, to)
}

func (r *rawSocket) Close() error { return unix.Close(r.fd) }

func swap16(v uint16) uint16 { return v<<8 | v>>8 }

// toPort lets whole UDP datagrams to a port through. Offsets are from the IP header.
func toPort(port uint16) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipFalse: 6},
		bpf.LoadAbsolute{Off: 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 4}, // a fragment
		bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipFalse: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	}
}

// udpPayload takes a UDP datagram out of an IPv4 packet.
func udpPayload(packet []byte) (from netip.Addr, payload []byte, ok bool) {
	if len(packet) < 28 || packet[0]>>4 != 4 || packet[9] != unix.IPPROTO_UDP {
		return from, nil, false
	}
	head := int(packet[0]&15) * 4
	if head < 20 || len(packet) < head+8 {
		return from, nil, false
	}
	udp := packet[head:]
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if n < 8 || n > len(udp) {
		return from, nil, false
	}
	from, _ = netip.AddrFromSlice(packet[12:16])
	return from, udp[8:n], true
}

// udpBroadcast makes the IPv4 packet of a datagram from 0.0.0.0 to everybody.
func udpBroadcast(fromPort, toPort uint16, payload []byte) []byte {
	p := make([]byte, 28, 28+len(payload))
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(p[2:], uint16(28+len(payload)))
	copy(p[16:], net.IPv4bcast.To4())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum))
	binary.BigEndian.PutUint16(p[20:], fromPort)
	binary.BigEndian.PutUint16(p[22:], toPort)
	binary.BigEndian.PutUint16(p[24:], uint16(8+len(payload))) // checksum 0: none (RFC 768)
	return append(p, payload...)
}
