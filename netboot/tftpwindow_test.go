package netboot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

// windowClient is the receiving side of RFC 7440: it takes blocks in order, and
// acknowledges at the end of a window, at the last block, and when one is missing.
type windowClient struct {
	got      []byte
	last     int64 // last block in order
	inWindow int
	window   int
	blksize  int
	done     bool
}

// take returns the number to acknowledge, and whether there is one.
func (c *windowClient) take(head, content []byte) (uint16, bool) {
	number := binary.BigEndian.Uint16(head[2:])
	if c.done || number != uint16(c.last+1) {
		c.inWindow = 0
		return uint16(c.last), true
	}
	c.last++
	c.inWindow++
	c.got = append(c.got, content...)
	c.done = len(content) < c.blksize
	if c.done || c.inWindow == c.window {
		c.inWindow = 0
		return uint16(c.last), true
	}
	return 0, false
}

// lossyTransfer moves a file over a link that drops, doubles and delays packets of
// both directions, and returns what arrived. A round in which nothing is on its way
// is a timeout.
func lossyTransfer(t *testing.T, content []byte, blksize, window int, loss float64, rng *rand.Rand) []byte {
	t.Helper()
	w := newTFTPWindow(bytes.NewReader(content), int64(len(content)), blksize, window)
	c := &windowClient{window: window, blksize: blksize}
	type packet struct {
		head, content []byte
		ack           uint16
		isAck         bool
	}
	var link []packet
	put := func(p packet) {
		for copies := 1; copies > 0; copies-- {
			if rng.Float64() < loss {
				continue
			}
			if rng.Float64() < loss {
				copies++
			}
			at := len(link)
			if rng.Float64() < loss && at > 0 {
				at = rng.IntN(at)
			}
			link = append(link, packet{})
			copy(link[at+1:], link[at:])
			link[at] = p
		}
	}
	send := func() {
		packets, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		for {
			p := bytes.Clone(packets[:min(w.packet(), len(packets))])
			put(packet{head: p[:tftpHeader], content: p[tftpHeader:]})
			if packets = packets[len(p):]; len(packets) == 0 {
				break
			}
		}
	}
	send()
	for rounds := 0; !w.done(); rounds++ {
		if rounds > 200*(len(content)/blksize+10) {
			t.Fatalf("no end in sight at block %d of %d", w.base, w.blocks)
		}
		if len(link) == 0 {
			w.asked = false
			send()
			continue
		}
		p := link[0]
		link = link[1:]
		switch {
		case p.isAck:
			if w.acknowledge(p.ack) && !w.done() {
				send()
			}
		default:
			if ack, yes := c.take(p.head, p.content); yes {
				put(packet{ack: ack, isAck: true})
			}
		}
	}
	return c.got
}

func TestWindowsOverALossyLink(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, size := range []int{0, 1, 511, 512, 513, 512 * 4, 512*4 - 1, 512*4 + 1, 100_000} {
		for _, window := range []int{1, 2, 4, 16, 64} {
			for _, loss := range []float64{0, 0.02, 0.2} {
				content := make([]byte, size)
				for i := range content {
					content[i] = byte(rng.Uint32())
				}
				if got := lossyTransfer(t, content, 512, window, loss, rng); !bytes.Equal(got, content) {
					t.Fatalf("size %d, window %d, loss %.2f: %d bytes arrived, or others", size, window, loss, len(got))
				}
			}
		}
	}
}

// Block numbers come around after 65,535: 32 MiB with blocks of 512 bytes.
func TestWindowsBeyondTheLastBlockNumber(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	content := make([]byte, 8*140_000+3)
	for i := range content {
		content[i] = byte(rng.Uint32())
	}
	for _, window := range []int{1, 16, 64} {
		if got := lossyTransfer(t, content, 8, window, 0.01, rng); !bytes.Equal(got, content) {
			t.Fatalf("window %d: %d bytes of %d arrived, or others", window, len(got), len(content))
		}
	}
}

// An acknowledgement that comes twice does not make the window go out twice for
// ever (the sorcerer's apprentice).
func TestDoubledAcknowledgements(t *testing.T) {
	w := newTFTPWindow(bytes.NewReader(make([]byte, 5000)), 5000, 512, 4)
	if _, err := w.next(); err != nil {
		t.Fatal(err)
	}
	if !w.acknowledge(4) {
		t.Fatal("the first window's acknowledgement moves nothing")
	}
	if _, err := w.next(); err != nil {
		t.Fatal(err)
	}
	answers := 0
	for range 100 {
		if w.acknowledge(4) {
			answers++
		}
	}
	if answers != 1 {
		t.Errorf("%d answers to 100 repetitions", answers)
	}
	for _, wild := range []uint16{3, 0, 60000, 9} {
		if w.acknowledge(wild) {
			t.Errorf("block %d was never sent, and moves the transfer", wild)
		}
	}
}

// A client that acknowledges everything it gets, twice once: what is doubled must not
// stay doubled up to the end. A repetition after a while asks for the block again.
func TestOneDoubledAcknowledgementDoublesNothingElse(t *testing.T) {
	const blocks = 100
	sent, acks := 0, []uint16{}
	s := newSteps(newTFTPWindow(bytes.NewReader(make([]byte, 512*(blocks-1))), 512*(blocks-1), 512, 1), func(p []byte) {
		sent++
		acks = append(acks, binary.BigEndian.Uint16(p[2:]))
	})
	s.next()
	for i := 0; len(acks) > 0; i++ {
		number := acks[0]
		acks = acks[1:]
		s.acknowledged(number)
		if i == 5 {
			s.acknowledged(number)
		}
	}
	if sent > blocks+1 || !s.ended {
		t.Errorf("%d packets for %d blocks, complete: %v", sent, blocks, s.ended)
	}

	sent = 0
	s = newSteps(newTFTPWindow(bytes.NewReader(make([]byte, 5000)), 5000, 512, 1), func([]byte) { sent++ })
	s.next()
	s.acknowledged(1)
	time.Sleep(repeatAfter)
	s.acknowledged(1)
	if sent != 3 {
		t.Errorf("%d packets, not 3: the block that the client misses was not sent again", sent)
	}
}

func TestAFileThatShrinksEndsTheTransfer(t *testing.T) {
	w := newTFTPWindow(bytes.NewReader(make([]byte, 1000)), 5000, 512, 4)
	if _, err := w.next(); err == nil {
		t.Error("a file shorter than told is taken for whole")
	}
}

// windowedGet reads a file as a client that asks for windows. lose says which
// packets get lost on their way to the client.
func (f *tftpFixture) windowedGet(name, options string, window, blksize int, lose func(n int) bool) ([]byte, string) {
	f.t.Helper()
	c := newRawClient(f.t, "127.0.0.1:0")
	c.send("\x00\x01"+name+"\x00octet\x00"+options, f.addr)
	oack := c.receive(patient)
	if len(oack) < 2 || oack[1] != tftpOACK {
		f.t.Fatalf("no option acknowledgement: %q", oack)
	}
	c.send("\x00\x04\x00\x00", c.peer)
	w := &windowClient{window: window, blksize: blksize}
	for n := 0; !w.done; n++ {
		p := c.receive(patient)
		if p == "" {
			f.t.Fatalf("silence at block %d", w.last)
		}
		if p == oack {
			continue // sent again before our acknowledgement was read
		}
		if p[1] != tftpData {
			f.t.Fatalf("%q", p)
		}
		if lose(n) {
			continue
		}
		if ack, yes := w.take([]byte(p[:4]), []byte(p[4:])); yes {
			c.send("\x00\x04"+string(binary.BigEndian.AppendUint16(nil, ack)), c.peer)
		}
	}
	return w.got, oack[2:]
}

func TestWindowsAreNegotiatedAndSent(t *testing.T) {
	f := startTFTP(t, nil)
	for _, c := range []struct{ options, answer string }{
		{"blksize\x001468\x00tsize\x000\x00windowsize\x004\x00", "blksize\x001468\x00tsize\x00173792\x00windowsize\x004\x00"},
		{"windowsize\x00500\x00", "windowsize\x0064\x00"},
		{"WINDOWSIZE\x0016\x00timeout\x003\x00", "windowsize\x0016\x00timeout\x003\x00"},
		{"timeout\x003\x00", "timeout\x003\x00"},
	} {
		window, blksize := 1, 512
		for _, o := range []string{"windowsize\x004\x00", "windowsize\x0064\x00", "windowsize\x0016\x00"} {
			if bytes.Contains([]byte(c.answer), []byte(o)) {
				fmt.Sscanf(o[len("windowsize\x00"):], "%d", &window)
			}
		}
		if bytes.Contains([]byte(c.answer), []byte("1468")) {
			blksize = 1468
		}
		got, answer := f.windowedGet("snponly.efi", c.options, window, blksize, func(int) bool { return false })
		if answer != c.answer || !bytes.Equal(got, f.loader) {
			t.Errorf("%q: answered %q, %d bytes", c.options, answer, len(got))
		}
	}
	waitFor(t, "the transfers to end", func() bool { return f.count.tftpActive.Load() == 0 && f.count.tftpCompleted.Load() == 4 })
}

func TestLostPacketsOfAWindowAreSentAgain(t *testing.T) {
	f := startTFTP(t, nil)
	rng := rand.New(rand.NewPCG(7, 7))
	got, _ := f.windowedGet("snponly.efi", "blksize\x001468\x00windowsize\x008\x00", 8, 1468, func(int) bool { return rng.IntN(30) == 0 })
	if !bytes.Equal(got, f.loader) {
		t.Errorf("%d bytes arrived, or others", len(got))
	}
}

// The errors that end a transfer at once: the client's own, and its port being gone.
func TestWindowedTransfersEnd(t *testing.T) {
	f := startTFTP(t, nil)
	begin := func() *rawClient {
		c := newRawClient(t, "127.0.0.1:0")
		c.send("\x00\x01snponly.efi\x00octet\x00windowsize\x004\x00", f.addr)
		c.receive(patient)
		c.send("\x00\x04\x00\x00", c.peer)
		waitFor(t, "the transfer", func() bool { return f.count.tftpActive.Load() == 1 })
		return c
	}
	c := begin()
	c.send("\x00\x05\x00\x00enough\x00", c.peer)
	waitFor(t, "the end after an error", func() bool { return f.count.tftpActive.Load() == 0 })
	despiteLoad(t, func() error {
		begin().conn.Close()
		started := time.Now()
		waitFor(t, "the end after the client is gone", func() bool { return f.count.tftpActive.Load() == 0 })
		if d := time.Since(started); d > 4*time.Second {
			return fmt.Errorf("a client that is gone (ICMP port unreachable) was noticed after %v", d)
		}
		return nil
	})
}

// A machine that is reset in the middle of a download asks again from the same port,
// and takes the first packet as the answer: that must be the new one, not the end of
// the transfer before.
func TestAMachineThatAsksAgainIsNotSentAnError(t *testing.T) {
	for _, options := range []string{"blksize\x00512\x00", "windowsize\x001\x00", "windowsize\x004\x00"} {
		f := startTFTP(t, nil)
		c := newRawClient(t, "127.0.0.1:0")
		ask := "\x00\x01snponly.efi\x00octet\x00" + options
		c.send(ask, f.addr)
		c.receive(patient)
		c.send("\x00\x04\x00\x00", c.peer)
		for p := c.receive(patient); p != "" && p[1] == tftpOACK; p = c.receive(patient) { // sent again
		}
		c.send("\x00\x04\x00\x01", c.peer)
		waitFor(t, "the acknowledgement to be read", func() bool {
			all := f.server.slots.all()
			if len(all) != 1 {
				return false
			}
			f.server.slots.mu.Lock()
			defer f.server.slots.mu.Unlock()
			return all[0].heard == 2
		})
		c.send(ask, f.addr)
		waitFor(t, "the end of the transfer before", func() bool { return f.count.tftpFailed.Load() == 1 })
		answered := false
		wait := patient
		for p := c.receive(wait); p != ""; p = c.receive(wait) {
			switch p[1] {
			case tftpError:
				t.Errorf("%q: sent %q", options, p)
			case tftpOACK:
				answered, wait = true, 500*time.Millisecond
				c.send("\x00\x05\x00\x00enough\x00", c.peer)
			}
		}
		if !answered {
			t.Errorf("%q: the new request was not answered", options)
		}
	}
}

// A client that asks for its next file as soon as it has acknowledged the last block
// has the one before, whichever of the two is looked at first.
func TestATransferWhoseLastBlockIsAcknowledgedIsComplete(t *testing.T) {
	f := startTFTP(t, nil)
	socket, err := listenUDP(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	peer := newRawClient(t, "127.0.0.1:0").conn.LocalAddr().(*net.UDPAddr).AddrPort()
	for range 30 {
		over := make(chan struct{})
		close(over)
		s := newSteps(newTFTPWindow(bytes.NewReader(nil), 0, 512, 1), func([]byte) {})
		s.next()
		s.acknowledged(1)
		if err := s.watch(t.Context(), time.Second, over); err != nil {
			t.Fatalf("block by block: %v", err)
		}
		tr := &tftpTransfer{socket: socket, peer: peer, window: newWindowed()}
		tr.window.acknowledged(1)
		tr.cancel()
		if err := f.server.window(t.Context(), tr, newTFTPWindow(bytes.NewReader(nil), 0, 512, 4)); err != nil {
			t.Fatalf("in windows: %v", err)
		}
	}
}
