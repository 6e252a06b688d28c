package netboot

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inNamespace runs the calling test once more in a process of its own with an
// empty network namespace, and returns true there. No packet of it is seen
// outside.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("NETBOOT_NAMESPACE") == t.Name() {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			t.Fatal(err)
		}
		return true
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	c.Env = append(os.Environ(), "NETBOOT_NAMESPACE="+t.Name())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("in the namespace: %v\n%s", err, out)
	}
	return false
}

// wire is the far end of a network cable whose near end is an interface of this
// namespace. It sees and sends whole frames.
type wire struct {
	t     *testing.T
	fd    int
	index int // of the near end
	far   int // index of the far end
	near  net.HardwareAddr
}

// newWire adds an interface with an address and returns the far end.
func newWire(t *testing.T, name, addr string) *wire {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	far := name + "far"
	check(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: far}))
	var links [2]netlink.Link
	for i, n := range []string{name, far} {
		l, err := netlink.LinkByName(n)
		check(err)
		check(netlink.LinkSetUp(l))
		links[i] = l
	}
	if addr != "" {
		a, err := netlink.ParseAddr(addr)
		check(err)
		check(netlink.AddrAdd(links[0], a))
	}
	waitFor(t, name+" is up at both ends", func() bool { return operational(t, name) && operational(t, far) })
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_IP)))
	check(err)
	t.Cleanup(func() { unix.Close(fd) })
	check(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_IP), Ifindex: links[1].Attrs().Index}))
	w := &wire{t: t, fd: fd, index: links[0].Attrs().Index, far: links[1].Attrs().Index, near: links[0].Attrs().HardwareAddr}
	return w
}

// operational reports whether the kernel has put an interface into operation,
// which it does some time after it was set up: until then what is sent on it is
// dropped without a word.
func operational(t *testing.T, name string) bool {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l.Attrs().OperState == netlink.OperUp
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// neighbour makes an address known at the near end, as ARP would.
func (w *wire) neighbour(addr string) {
	w.t.Helper()
	err := netlink.NeighSet(&netlink.Neigh{LinkIndex: w.index, State: netlink.NUD_PERMANENT,
		IP: net.ParseIP(addr), HardwareAddr: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0x99}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// send puts a UDP datagram on the wire.
func (w *wire) send(from, to string, payload []byte) {
	w.t.Helper()
	src, dst := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	frame := append([]byte{}, w.near...)
	if dst.Addr() == broadcastAddr {
		frame = []byte{255, 255, 255, 255, 255, 255}
	}
	frame = append(frame, 0x52, 0x54, 0, 0, 0, 0x99, 0x08, 0x00)
	ip := make([]byte, 20)
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[12:], src.Addr().AsSlice())
	copy(ip[16:], dst.Addr().AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	udp := make([]byte, 8) // checksum 0: none
	binary.BigEndian.PutUint16(udp, src.Port())
	binary.BigEndian.PutUint16(udp[2:], dst.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	frame = append(append(append(frame, ip...), udp...), payload...)
	if _, err := unix.Write(w.fd, frame); err != nil {
		w.t.Fatal(err)
	}
}

// packet is a UDP datagram seen on the wire.
type packet struct {
	from, to netip.AddrPort
	payload  []byte
}

// receive returns the next UDP datagram from the near end, nil after the wait.
func (w *wire) receive(wait time.Duration) *packet {
	w.t.Helper()
	deadline := time.Now().Add(wait)
	buf := make([]byte, 2048)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return nil
		}
		tv := unix.NsecToTimeval(left.Nanoseconds())
		if err := unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			w.t.Fatal(err)
		}
		n, sender, err := unix.Recvfrom(w.fd, buf, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if ll, ok := sender.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue // our own
		}
		if p := parseFrame(buf[:n]); p != nil {
			return p
		}
	}
}

func parseFrame(f []byte) *packet {
	if len(f) < 42 || f[23] != unix.IPPROTO_UDP {
		return nil
	}
	ip := f[14:]
	u := ip[int(ip[0]&15)*4:]
	src, _ := netip.AddrFromSlice(ip[12:16])
	dst, _ := netip.AddrFromSlice(ip[16:20])
	n := int(binary.BigEndian.Uint16(u[4:]))
	return &packet{
		from:    netip.AddrPortFrom(src, binary.BigEndian.Uint16(u)),
		to:      netip.AddrPortFrom(dst, binary.BigEndian.Uint16(u[2:])),
		payload: append([]byte(nil), u[8:n]...),
	}
}
