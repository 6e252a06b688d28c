package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAnAddressHasNotAllConnections: what one address may hold is bounded, another one
// is served all the same, and a connection that ends makes room.
func TestAnAddressHasNotAllConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	l := newCrowdListener(inner, 3, slog.New(slog.NewTextHandler(&log, nil)))
	accepted := make(chan net.Conn, 16)
	over := make(chan struct{})
	go func() { // ends with the listener
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	connect := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	served := func(from string) net.Conn {
		t.Helper()
		connect(from)
		select {
		case c := <-accepted:
			t.Cleanup(func() { c.Close() })
			return c
		case <-time.After(patience):
			t.Fatalf("%s is not served", from)
		}
		return nil
	}
	refused := func(from string) {
		t.Helper()
		c := connect(from)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || err != io.EOF && !strings.Contains(err.Error(), "reset") {
			t.Errorf("one connection too many: %v", err)
		}
	}
	var first net.Conn
	for range 3 {
		first = served("127.0.0.1")
	}
	if _, ok := first.(io.ReaderFrom); !ok {
		t.Error("the kernel cannot send files by itself on these connections")
	}
	refused("127.0.0.1")
	refused("127.0.0.1")
	served("127.0.0.2")
	for range 2 { // net/http closes twice
		first.Close()
	}
	served("127.0.0.1")
	refused("127.0.0.1")
	l.Close()
	<-over
	if n := strings.Count(log.String(), "too many connections"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}

// TestTheBootServerBoundsWhatAnAddressHolds in the whole appliance.
func TestTheBootServerBoundsWhatAnAddressHolds(t *testing.T) {
	r := start(t, t.TempDir())
	var last net.Conn
	for range maxPerAddress + 1 {
		c, err := net.Dial("tcp", r.http)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		last = c
	}
	_ = last.SetReadDeadline(time.Now().Add(readHeaderTimeout / 2))
	if _, err := last.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("connection %d of one address is kept: %v", maxPerAddress+1, err)
	}
}
