package netboot

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// abandon sends read requests that are never followed up. The sockets stay open
// and silent: the kernel's "port unreachable" would clear the slots too early.
// They are closed by the function that it returns, or with the test.
func abandon(t *testing.T, f *tftpFixture, n int, address func(i int) string) (end func()) {
	t.Helper()
	var sockets []*net.UDPConn
	end = func() {
		for _, c := range sockets {
			c.Close()
		}
	}
	t.Cleanup(func() { end() })
	for i := range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address(i))})
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, c)
		if err := c.SetReadBuffer(2048); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteToUDPAddrPort([]byte("\x00\x01snponly.efi\x00octet\x00blksize\x001468\x00tsize\x000\x00"), f.addr); err != nil {
			t.Fatal(err)
		}
	}
	return end
}

func TestTFTPAbandonedRequests(t *testing.T) {
	for _, c := range []struct {
		name    string
		n       int
		address func(int) string
	}{
		{"300 from the good client's own address", 300, func(int) string { return "127.0.0.1" }},
		{"300 from another address", 300, func(int) string { return "127.9.9.9" }},
		{"5000 from many", 5000, func(i int) string { return fmt.Sprintf("127.1.%d.%d", i/250, i%250+1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			despiteLoad(t, func() error {
				f := startTFTP(t, nil)
				defer abandon(t, f, c.n, c.address)()
				start := time.Now()
				got, err := f.get("snponly.efi")
				took := time.Since(start)
				if err != nil || !bytes.Equal(got, f.loader) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				stop := time.Now()
				if err := f.stop(); err != nil {
					t.Error(err)
				}
				if d := time.Since(stop); took > 2*time.Second || d > 2*time.Second {
					return fmt.Errorf("the good client took %v, stopping %v", took, d)
				}
				t.Logf("the good client took %v", took)
				return nil
			})
		})
	}
}

// Good clients are served while abandoned requests keep coming, some thousand a
// second: for two seconds, or a minute with SLIPWAY_SOAK set.
func TestTFTPContinuingFlood(t *testing.T) {
	despiteLoad(t, func() error { return flood(t) })
}

func flood(t *testing.T) error {
	t.Helper()
	f := startTFTP(t, nil)
	defer func() {
		if err := f.stop(); err != nil {
			t.Error(err)
		}
	}()
	span := 2 * time.Second
	if os.Getenv("SLIPWAY_SOAK") != "" {
		span = time.Minute
	}
	var sockets []*net.UDPConn
	for i := range 500 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 4, byte(i/250), byte(i%250+1))})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sockets = append(sockets, c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		sent := 0
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for range 30 { // another spelling each time: not a repetition
				name := strings.Repeat("/", 1+sent/len(sockets)%100) + "snponly.efi"
				_, _ = sockets[sent%len(sockets)].WriteToUDPAddrPort([]byte("\x00\x01"+name+"\x00octet\x00blksize\x001468\x00"), f.addr)
				sent++
			}
			<-tick.C
		}
		done <- sent
	}()
	var worst time.Duration
	served := 0
	for start := time.Now(); time.Since(start) < span; served++ {
		begin := time.Now()
		got, err := f.get("snponly.efi")
		if err != nil || !bytes.Equal(got, f.loader) {
			t.Errorf("%d bytes, %v", len(got), err)
			break
		}
		worst = max(worst, time.Since(begin))
	}
	cancel()
	sent := <-done
	t.Logf("%d abandoned requests, %d good ones, the slowest %v", sent, served, worst)
	if worst > 2*time.Second {
		return fmt.Errorf("a good client took %v", worst)
	}
	return nil
}

// Abandoned requests take no socket, file or goroutine.
func TestTFTPAbandonedRequestsCostNothing(t *testing.T) {
	f := startTFTP(t, nil)
	before, started := f.idle(), f.count.tftpStarted.Load()
	abandon(t, f, 400, func(i int) string { return fmt.Sprintf("127.2.0.%d", i%100+1) })
	waitFor(t, "all requests were taken", func() bool { return f.server.pending.len() == 400 })
	if n := runtime.NumGoroutine(); n > before || f.count.tftpStarted.Load() != started {
		t.Errorf("%d goroutines before, %d after, %d transfers", before, n, f.count.tftpStarted.Load()-started)
	}
}

// A client that falls silent within a transfer is given up, and all it held is
// free again.
func TestTFTPSilentClientIsGivenUp(t *testing.T) {
	f := startTFTP(t, nil)
	before := f.idle()
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00", f.addr)
	if p := c.receive(patient); len(p) != 516 {
		t.Fatalf("%d bytes", len(p))
	}
	c.send("\x00\x04\x00\x01", c.peer)
	waitFor(t, "transfer started", func() bool { return f.count.tftpActive.Load() == 1 })
	waitFor(t, "transfer given up", func() bool {
		return f.count.tftpActive.Load() == 0 && f.count.tftpFailed.Load() == 1 && len(f.server.slots.all()) == 0 && runtime.NumGoroutine() <= before
	})
}
