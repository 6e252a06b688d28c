package netboot

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// probeWait is how long somebody may take to say that an address is in use. On
// one segment ARP is answered within milliseconds, also by machines whose
// firewall drops echo requests.
const probeWait = 300 * time.Millisecond

// probeAddress asks whether somebody uses an address: by ARP on the interface's
// own networks, by ICMP echo behind a relay. An answer of the client itself,
// which may still use the address, does not count.
func probeAddress(ctx context.Context, iface netInterface, a netip.Addr, client []byte) (bool, error) {
	wait := probeWait
	if d, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(d)/2)
	}
	for _, p := range iface.addrs {
		if p.Contains(a) {
			return probeARP(iface, a, client, wait)
		}
	}
	return probeEcho(a, wait)
}

// probeARP sends an ARP probe (RFC 5227, 2.1.1): its sender address is zero, so
// that nobody's cache is changed.
func probeARP(iface netInterface, a netip.Addr, client []byte, wait time.Duration) (bool, error) {
	if len(iface.mac) != 6 {
		return false, fmt.Errorf("interface %s is no Ethernet", iface.name)
	}
	r, err := openRaw(iface.index, unix.ETH_P_ARP, nil)
	if err != nil {
		return false, err
	}
	defer r.Close()
	if err := r.broadcast(unix.ETH_P_ARP, arpProbe(iface.mac, a)); err != nil {
		return false, fmt.Errorf("send an ARP probe: %w", err)
	}
	buf := make([]byte, 128)
	for deadline := time.Now().Add(wait); ; {
		n, err := r.receive(buf, time.Until(deadline))
		if err != nil || n == 0 {
			return false, err
		}
		if who, ok := arpSender(buf[:n], a); ok && !bytes.Equal(who, client) && !bytes.Equal(who, iface.mac) {
			return true, nil
		}
	}
}

func arpProbe(mac net.HardwareAddr, a netip.Addr) []byte {
	p := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, request
	p = append(p, mac...)
	p = append(p, 0, 0, 0, 0)
	p = append(p, 0, 0, 0, 0, 0, 0)
	return append(p, a.AsSlice()...)
}

// arpSender returns who says in an ARP packet, request or answer, that it has an address.
func arpSender(p []byte, a netip.Addr) (net.HardwareAddr, bool) {
	if len(p) < 28 || !bytes.Equal(p[:6], []byte{0, 1, 8, 0, 6, 4}) || !bytes.Equal(p[14:18], a.AsSlice()) {
		return nil, false
	}
	return net.HardwareAddr(p[8:14]), true
}

// probeEcho sends an ICMP echo request.
func probeEcho(a netip.Addr, wait time.Duration) (bool, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return false, fmt.Errorf("ICMP socket: %w", err)
	}
	defer unix.Close(fd)
	echo := make([]byte, 16)
	echo[0] = 8
	_, _ = rand.Read(echo[4:]) // identifier, number and data: the answer repeats them
	binary.BigEndian.PutUint16(echo[2:], internetChecksum(echo))
	if err := unix.Sendto(fd, echo, 0, &unix.SockaddrInet4{Addr: a.As4()}); err != nil {
		return false, nil // no route: nobody we could disturb can be asked
	}
	buf := make([]byte, 256)
	for deadline := time.Now().Add(wait); ; {
		left := time.Until(deadline)
		if left < time.Millisecond {
			return false, nil
		}
		tv := unix.NsecToTimeval(left.Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return false, err
		}
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == nil && isEchoReply(buf[:n], echo) {
			return true, nil
		}
	}
}

func isEchoReply(p, echo []byte) bool {
	if len(p) < 20 {
		return false
	}
	head := int(p[0]&15) * 4
	return len(p) >= head+len(echo) && p[head] == 0 && bytes.Equal(p[head+4:head+len(echo)], echo[4:])
}

func internetChecksum(p []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(p); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
