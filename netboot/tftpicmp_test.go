package netboot

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// icmpAbout sends the server an ICMP error of type 3 about a packet of one of its
// sockets to a client. A namespace of the test's own has the right to.
func (f *tftpFixture) icmpAbout(code byte, from, to netip.AddrPort) {
	f.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		f.t.Fatal(err)
	}
	defer unix.Close(fd)
	p := make([]byte, 8, 36)
	p[0], p[1] = 3, code
	if code == 4 {
		binary.BigEndian.PutUint16(p[6:], 1400) // the next link's MTU
	}
	p = append(p, udpBroadcast(from.Port(), to.Port(), nil)...)
	copy(p[8+12:], from.Addr().AsSlice())
	copy(p[8+16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(p[2:], internetChecksum(p))
	if err := unix.Sendto(fd, p, 0, &unix.SockaddrInet4{Addr: from.Addr().As4()}); err != nil {
		f.t.Fatal(err)
	}
}

// Whatever a host answers by ICMP, and however often: the server lives on.
func TestICMPErrorsDoNotEndTheServer(t *testing.T) {
	if !inNamespace(t) { // what the kernel notes of a path stays with it
		return
	}
	f := startTFTP(t, nil)
	sockets := map[netip.AddrPort]bool{}
	for range 2 * runtime.GOMAXPROCS(0) { // clients take turns at them
		c := newRawClient(t, "127.0.0.1:0")
		c.send("\x00\x01empty\x00octet\x00", f.addr)
		c.receive(patient)
		sockets[c.peer] = true
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for s := range sockets {
			for _, code := range []byte{2, 5, 7} { // protocol unreachable, source route failed, host unknown
				f.icmpAbout(code, s, netip.AddrPortFrom(s.Addr(), 9))
			}
		}
	}
	for range 2 {
		if got, err := f.get("snponly.efi"); err != nil || !bytes.Equal(got, f.loader) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
}

// A router that says that packets are too large for its next link is no client that
// is gone: the kernel takes note, and what is repeated gets through.
func TestATransferOutlivesPathMTUDiscovery(t *testing.T) {
	if !inNamespace(t) { // what the kernel notes of a path stays with it
		return
	}
	f := startTFTP(t, nil)
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00blksize\x001024\x00", f.addr)
	c.receive(patient)
	self := c.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	f.icmpAbout(4, c.peer, self)
	time.Sleep(2 * tftpRetransmit / 4) // the queue of errors is looked at
	for want := uint16(0); want < 20; want++ {
		c.send("\x00\x04"+string(binary.BigEndian.AppendUint16(nil, want)), c.peer)
		for {
			p := c.receive(patient)
			if len(p) < 4 || p[1] == tftpError {
				t.Fatalf("after block %d: %q", want, p)
			}
			if p[1] == tftpData && binary.BigEndian.Uint16([]byte(p[2:])) == want+1 {
				break
			}
		}
		if want == 9 {
			f.icmpAbout(4, c.peer, self)
			time.Sleep(2 * tftpRetransmit / 4)
		}
	}
	if got, _ := f.windowedGet("snponly.efi", "blksize\x001468\x00windowsize\x004\x00", 4, 1468, func(int) bool { return false }); !bytes.Equal(got, f.loader) {
		t.Errorf("in windows: %d bytes arrived, or others", len(got))
	}
}
