package netboot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
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
		case <-time.After(10 * time.Second):
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
	deadline := time.Now().Add(10 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestTFTPServesLoaders(t *testing.T) {
	f := startTFTP(t, nil)
	for name, want := range map[string][]byte{
		"snponly.efi": f.loader, "/SNPONLY.EFI": f.loader, `\sub\file.efi`: []byte("below"), "empty": {},
	} {
		got, err := f.get(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
	}
	for _, name := range []string{"../outside", `..\outside`, "sub/../../outside", "/etc/passwd", "Sub", "missing", "snponly.efi/x"} {
		if got, err := f.get(name); err == nil || !strings.Contains(err.Error(), "File not found") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	waitFor(t, "all transfers ended", func() bool { return f.count.tftpActive.Load() == 0 && len(f.server.slots.all()) == 0 })
}

// Links that lead out of the root are not followed.
func TestTFTPLinkOutside(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside"), []byte("secret"))
	root := filepath.Join(dir, "root")
	write(t, filepath.Join(root, "inside"), []byte("fine"))
	for link, target := range map[string]string{"out": "../outside", "abs": filepath.Join(dir, "outside"), "in": "inside"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	f := startTFTP(t, func(c *Config) { c.Loaders = NewDir(root) })
	for _, name := range []string{"out", "abs"} {
		if got, err := f.get(name); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got, err := f.get("in"); err != nil || string(got) != "fine" {
		t.Errorf("in: %q, %v", got, err)
	}
}

// Real clients: curl and tftp-hpa, the latter twice over one socket.
func TestTFTPRealClients(t *testing.T) {
	f := startTFTP(t, nil)
	dir := t.TempDir()
	check := func(name string) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, f.loader) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	run := func(stdin, name string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c := exec.CommandContext(ctx, name, args...)
		c.Dir, c.Stdin = dir, strings.NewReader(stdin)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	run("", "curl", "-sS", "--tftp-blksize", "1468", "-o", "curl", "tftp://"+f.addr.String()+"/snponly.efi")
	check("curl")
	// tftp-hpa's own default is netascii, which both sides convert.
	run("", "tftp", "-4", "127.0.0.1", fmt.Sprint(f.addr.Port()), "-c", "get", "text", "text")
	if got, err := os.ReadFile(filepath.Join(dir, "text")); err != nil || string(got) != f.text {
		t.Errorf("netascii: %d bytes, %v; want %d", len(got), err, len(f.text))
	}
	start := time.Now()
	run(fmt.Sprintf("binary\nconnect 127.0.0.1 %d\nget snponly.efi first\nget SNPONLY.EFI second\nquit\n", f.addr.Port()), "tftp", "-4")
	check("first")
	check("second")
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("two transfers over one socket took %v", d)
	}
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

func TestTFTPRefusals(t *testing.T) {
	f := startTFTP(t, nil)
	for in, want := range map[string]string{
		"\x00\x02a\x00octet\x00":                       "\x00\x05\x00\x02This server is read only\x00",
		"\x00\x01missing\x00octet\x00":                 "\x00\x05\x00\x01File not found\x00",
		"\x00\x01a":                                    "\x00\x05\x00\x04Malformed request\x00",
		"\x00\x01a\x00octet\x00blksize\x00x\x00":       "\x00\x05\x00\x08Malformed option\x00",
		"\x00\x04\x00\x01":                             "",
		"\x00\x05\x00\x01x\x00":                        "",
		"\x00\x01" + strings.Repeat("x", 600) + "\x00": "\x00\x05\x00\x04Malformed request\x00",
	} {
		c := newRawClient(t, "127.0.0.1:0")
		c.send(in, f.addr)
		wait := 5 * time.Second
		if want == "" {
			wait = 200 * time.Millisecond
		}
		if got := c.receive(wait); got != want {
			t.Errorf("%q: answer %q, want %q", in[:min(len(in), 20)], got, want)
		}
	}
}

// EDK2 first asks for the size and aborts with error 8: no slot is ever taken.
func TestTFTPSizeProbe(t *testing.T) {
	f := startTFTP(t, nil)
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00tsize\x000\x00blksize\x001468\x00windowsize\x004\x00", f.addr)
	oack := c.receive(5 * time.Second)
	for _, want := range []string{"tsize\x00173792\x00", "blksize\x001468\x00"} {
		if !strings.Contains(oack, want) {
			t.Errorf("OACK %q lacks %q", oack, want)
		}
	}
	if strings.Contains(oack, "windowsize") || !strings.HasPrefix(oack, "\x00\x06") {
		t.Errorf("OACK %q", oack)
	}
	c.send("\x00\x05\x00\x08User aborted\x00", c.peer)
	waitFor(t, "request forgotten", func() bool { return f.server.pending.len() == 0 })
	if n := f.count.tftpStarted.Load(); n != 0 {
		t.Errorf("the probe took %d slots", n)
	}
}

// A lost packet is sent again after a second, not after the library's five: our
// first one, and those of the library.
func TestTFTPRetransmitsAfterASecond(t *testing.T) {
	f := startTFTP(t, nil)
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00", f.addr)
	for block := 1; block <= 2; block++ {
		first := c.receive(5 * time.Second)
		start := time.Now()
		second := c.receive(5 * time.Second)
		if first == "" || first != second || first[3] != byte(block) {
			t.Fatalf("block %d: first %d bytes, second %d", block, len(first), len(second))
		}
		if d := time.Since(start); d < 700*time.Millisecond || d > 1700*time.Millisecond {
			t.Errorf("block %d sent again after %v", block, d)
		}
		c.send("\x00\x04"+first[2:4], c.peer)
	}
	// A repeated acknowledgement of the first packet does not double the rest
	// (the Sorcerer's Apprentice, RFC 1123, 4.2.3.1).
	if p := c.receive(5 * time.Second); p[3] != 3 {
		t.Fatalf("block %d", p[3])
	}
	c.send("\x00\x04\x00\x01", c.peer)
	c.send("\x00\x04\x00\x02", c.peer)
	if p := c.receive(500 * time.Millisecond); p != "" {
		t.Errorf("an old acknowledgement was answered with block %d", p[3])
	}
}

// The block size is capped by the link: 1468 on Ethernet, whatever is asked.
func TestTFTPBlockSizeCap(t *testing.T) {
	f := startTFTP(t, nil)
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00blksize\x0065464\x00", f.addr)
	if got := c.receive(5 * time.Second); got != "\x00\x06blksize\x001468\x00" {
		t.Errorf("OACK %q", got)
	}
	for mtu, want := range map[int]int{1500: 1468, 576: 544, 68: 512, 9000: 8192, 65536: 8192} {
		if got := maxBlock(mtu); got != want {
			t.Errorf("maxBlock(%d) = %d, want %d", mtu, got, want)
		}
	}
}

// abandon sends read requests that are never followed up. The sockets stay open
// and silent: the kernel's "port unreachable" would clear the slots too early.
func abandon(t *testing.T, f *tftpFixture, n int, address func(i int) string) {
	t.Helper()
	for i := range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address(i))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetReadBuffer(2048); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteToUDPAddrPort([]byte("\x00\x01snponly.efi\x00octet\x00blksize\x001468\x00tsize\x000\x00"), f.addr); err != nil {
			t.Fatal(err)
		}
	}
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
			f := startTFTP(t, nil)
			abandon(t, f, c.n, c.address)
			start := time.Now()
			got, err := f.get("snponly.efi")
			took := time.Since(start)
			if err != nil || !bytes.Equal(got, f.loader) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if took > 2*time.Second {
				t.Errorf("the good client took %v", took)
			}
			t.Logf("the good client took %v", took)
			stop := time.Now()
			if err := f.stop(); err != nil {
				t.Error(err)
			}
			if d := time.Since(stop); d > 2*time.Second {
				t.Errorf("stopping took %v", d)
			}
		})
	}
}

// Good clients are served while abandoned requests keep coming, some thousand a
// second: for two seconds, or a minute with SLIPWAY_SOAK set.
func TestTFTPContinuingFlood(t *testing.T) {
	f := startTFTP(t, nil)
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
		t.Errorf("a good client took %v", worst)
	}
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
	if p := c.receive(5 * time.Second); len(p) != 516 {
		t.Fatalf("%d bytes", len(p))
	}
	c.send("\x00\x04\x00\x01", c.peer)
	waitFor(t, "transfer started", func() bool { return f.count.tftpActive.Load() == 1 })
	waitFor(t, "transfer given up", func() bool {
		return f.count.tftpActive.Load() == 0 && f.count.tftpFailed.Load() == 1 && len(f.server.slots.all()) == 0 && runtime.NumGoroutine() <= before
	})
}

// A transfer under way keeps its slot whatever comes.
func TestTFTPRunningTransferSurvives(t *testing.T) {
	f := startTFTP(t, func(c *Config) { c.TFTP.Slots, c.TFTP.PerAddress = 4, 4 })
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00", f.addr)
	var got []byte
	for block := uint16(1); ; block++ {
		p := c.receive(5 * time.Second)
		if len(p) < 4 || p[:2] != "\x00\x03" || binary.BigEndian.Uint16([]byte(p[2:])) != block {
			t.Fatalf("block %d: %q", block, p[:min(len(p), 40)])
		}
		got = append(got, p[4:]...)
		c.send("\x00\x04"+p[2:4], c.peer)
		if len(p) < 516 {
			break
		}
		if block == 3 {
			abandon(t, f, 200, func(i int) string { return fmt.Sprintf("127.3.0.%d", i%50+1) })
		}
	}
	if !bytes.Equal(got, f.loader) {
		t.Errorf("%d bytes differ", len(got))
	}
}

// Newer iPXE builds look for autoexec.ipxe; it names the address that was asked.
func TestTFTPAutoexec(t *testing.T) {
	f := startTFTP(t, nil)
	got, err := f.get("AUTOEXEC.IPXE")
	if err != nil || !bytes.Contains(got, []byte("http://127.0.0.1:8080/boot/script/${")) || !bytes.HasPrefix(got, []byte("#!ipxe\n")) {
		t.Errorf("%s, %v", got, err)
	}
}

// More than 65,535 blocks: the number goes around, through the 0 and 1 that
// began the transfer.
func TestTFTPBlockNumberWraps(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("0123456789abcdef"), 33<<20/16)
	write(t, filepath.Join(dir, "big"), big)
	f := startTFTP(t, func(c *Config) { c.Loaders = NewDir(dir) })
	ways := []bool{false} // without options DATA 1 is acknowledged first
	if os.Getenv("SLIPWAY_SOAK") != "" {
		ways = append(ways, true) // with options it is block 0
	}
	for _, options := range ways {
		c, err := tftp.NewClient(f.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		c.RequestTSize(options)
		start := time.Now()
		wt, err := c.Receive("big", "octet")
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := wt.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), big) {
			t.Fatalf("%d bytes, %v", got.Len(), err)
		}
		t.Logf("%.0f MB/s in blocks of 512", 33/time.Since(start).Seconds())
	}
}
