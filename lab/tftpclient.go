package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/ipv4"
)

// TFTPGet reads a file from a TFTP server as fast as it can, with a window when
// the server agrees to one (RFC 7440), and throws the content away. It is the one
// client that servers are compared with.
type TFTPGet struct {
	Server  string // address:port
	Name    string
	BlkSize int
	Window  int // asked for; 1 asks for none
	Into    hash.Hash
	From    net.IP // address of its own; 127.0.0.1
}

const tftpClientWait = 2 * time.Second

// Run reads the whole file and returns its size in bytes.
func (g TFTPGet) Run(ctx context.Context, ns *Namespace) (size int64, err error) {
	var conn *net.UDPConn
	if g.From == nil {
		g.From = net.IPv4(127, 0, 0, 1)
	}
	err = ns.Do(func() error {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: g.From})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("tftp client: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	_ = conn.SetReadBuffer(4 << 20) // less only means losses, which repeat
	server, err := net.ResolveUDPAddr("udp4", g.Server)
	if err != nil {
		return 0, fmt.Errorf("tftp client: %w", err)
	}
	t := &tftpGet{TFTPGet: g, conn: conn, pc: ipv4.NewPacketConn(conn), window: 1}
	if size, err = t.run(server); err != nil {
		return size, fmt.Errorf("tftp %s from %s: %w", g.Name, g.Server, err)
	}
	return size, ctx.Err()
}

type tftpGet struct {
	TFTPGet
	conn   *net.UDPConn
	pc     *ipv4.PacketConn
	peer   *net.UDPAddr
	window int
	last   uint16 // last block in order
	since  int    // blocks since the last acknowledgement
	size   int64
}

func (t *tftpGet) run(server *net.UDPAddr) (int64, error) {
	request := "\x00\x01" + t.Name + "\x00octet\x00blksize\x00" + strconv.Itoa(t.BlkSize) + "\x00"
	if t.Window > 1 {
		request += "windowsize\x00" + strconv.Itoa(t.Window) + "\x00"
	}
	list := make([]ipv4.Message, max(1, min(t.Window, 32)))
	for i := range list {
		list[i].Buffers = [][]byte{make([]byte, t.BlkSize+64)}
	}
	for tries := 0; tries < 8; tries++ {
		if t.peer == nil {
			if _, err := t.conn.WriteToUDP([]byte(request), server); err != nil {
				return t.size, err
			}
		} else if err := t.acknowledge(); err != nil {
			return t.size, err
		}
		for {
			_ = t.conn.SetReadDeadline(time.Now().Add(tftpClientWait))
			n, err := t.pc.ReadBatch(list, 0)
			if err != nil {
				break // silence: once more
			}
			tries = 0
			for _, m := range list[:n] {
				done, err := t.take(m.Buffers[0][:m.N], m.Addr.(*net.UDPAddr))
				if done || err != nil {
					return t.size, err
				}
			}
		}
	}
	return t.size, errors.New("the server is silent")
}

// take looks at one packet.
func (t *tftpGet) take(p []byte, from *net.UDPAddr) (done bool, err error) {
	if len(p) < 4 {
		return false, nil
	}
	switch p[1] {
	case 5:
		return false, fmt.Errorf("the server says %q", p[4:])
	case 6:
		if t.peer != nil {
			return false, nil
		}
		t.peer = from
		fields := strings.Split(string(p[2:]), "\x00")
		for i := 0; i+1 < len(fields); i += 2 {
			if strings.EqualFold(fields[i], "windowsize") {
				t.window, _ = strconv.Atoi(fields[i+1])
			}
		}
		return false, t.acknowledge()
	case 3:
		if t.peer == nil {
			t.peer = from
		}
		return t.block(binary.BigEndian.Uint16(p[2:]), p[4:])
	}
	return false, nil
}

func (t *tftpGet) block(number uint16, content []byte) (done bool, err error) {
	if number != t.last+1 {
		// A gap, or a repetition: tell once for a window where we stand.
		if t.since++; t.since >= t.window {
			return false, t.acknowledge()
		}
		return false, nil
	}
	t.last++
	t.since++
	t.size += int64(len(content))
	if t.Into != nil {
		t.Into.Write(content)
	}
	done = len(content) < t.BlkSize
	if done || t.since >= t.window {
		err = t.acknowledge()
	}
	return done, err
}

func (t *tftpGet) acknowledge() error {
	t.since = 0
	_, err := t.conn.WriteToUDP([]byte{0, 4, byte(t.last >> 8), byte(t.last)}, t.peer)
	return err
}
