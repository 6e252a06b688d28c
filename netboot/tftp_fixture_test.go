package netboot

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	tftp "github.com/pin/tftp/v3"
)

// tftpFixture is a running TFTP server on loopback.
type tftpFixture struct {
	t      *testing.T
	server *tftpServer
	count  *Counters
	addr   netip.AddrPort
	stop   func() error
	loader []byte // content of snponly.efi
	text   string // content of text
}

func startTFTP(t *testing.T, change func(*Config)) *tftpFixture {
	t.Helper()
	dir := t.TempDir()
	loader := make([]byte, 173792) // the size of the real one
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range loader {
		loader[i] = byte(rng.Uint32())
	}
	write(t, filepath.Join(dir, "snponly.efi"), loader)
	write(t, filepath.Join(dir, "Sub", "File.EFI"), []byte("below"))
	write(t, filepath.Join(dir, "empty"), nil)
	text := strings.Repeat("a line\nand a \r return\n", 200)
	write(t, filepath.Join(dir, "text"), []byte(text))
	write(t, filepath.Join(filepath.Dir(dir), "outside"), []byte("secret"))

	cfg := Config{Policy: &fakePolicy{}, Images: NewDir(dir), Loaders: NewDir(dir), Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	cfg = cfg.withDefaults()
	count := &Counters{}
	ifs := &interfaces{list: func() ([]netInterface, error) { return nil, nil }, now: time.Now}
	s := newTFTPServer(&cfg, ifs, count)
	ctx, cancel := context.WithCancel(context.Background())
	sock, err := listenUDP(ctx, netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, sock) }()
	stopped := false
	f := &tftpFixture{t: t, server: s, count: count, loader: loader, text: text, addr: sock.conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	f.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("the TFTP server does not stop")
		}
	}
	t.Cleanup(func() {
		if err := f.stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// get reads a file with the library's client.
func (f *tftpFixture) get(name string) ([]byte, error) {
	c, err := tftp.NewClient(f.addr.String())
	if err != nil {
		return nil, err
	}
	c.SetBlockSize(1468)
	c.RequestTSize(true)
	wt, err := c.Receive(name, "octet")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = wt.WriteTo(&b)
	return b.Bytes(), err
}

// idle returns the number of goroutines when the server runs and does nothing.
func (f *tftpFixture) idle() int {
	f.t.Helper()
	if _, err := f.get("empty"); err != nil {
		f.t.Fatal(err)
	}
	waitFor(f.t, "idle", func() bool { return f.count.tftpActive.Load() == 0 && len(f.server.slots.all()) == 0 })
	time.Sleep(50 * time.Millisecond) // the library's goroutine ends just after
	return runtime.NumGoroutine()
}

// waitFor polls until the condition holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// despiteLoad runs a test that measures time, up to five times. A machine that is busy
// with other things spoils one of them, or two; what is wrong fails in all.
func despiteLoad(t *testing.T, measure func() error) {
	t.Helper()
	var err error
	for range 5 {
		if err = measure(); err == nil {
			return
		}
		t.Logf("once more: %v", err)
	}
	t.Error(err)
}

// rawClient speaks TFTP packet by packet.
type rawClient struct {
	t    *testing.T
	conn *net.UDPConn
	peer netip.AddrPort // of the transfer
}

func newRawClient(t *testing.T, from string) *rawClient {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &rawClient{t: t, conn: c}
}

func (c *rawClient) send(p string, to netip.AddrPort) {
	c.t.Helper()
	if _, err := c.conn.WriteToUDPAddrPort([]byte(p), to); err != nil {
		c.t.Fatal(err)
	}
}

// receive returns the next packet, "" after the wait.
func (c *rawClient) receive(wait time.Duration) string {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 70000)
	n, from, err := c.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		return ""
	}
	c.peer = from
	return string(b[:n])
}
