package netboot

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tftp "github.com/pin/tftp/v3"
)

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

// Real clients: curl, tftp-hpa twice over one socket, and atftp with windows and
// without.
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
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
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
	despiteLoad(t, func() error {
		start := time.Now()
		run(fmt.Sprintf("binary\nconnect 127.0.0.1 %d\nget snponly.efi first\nget SNPONLY.EFI second\nquit\n", f.addr.Port()), "tftp", "-4")
		check("first")
		check("second")
		if d := time.Since(start); d > 3*time.Second {
			return fmt.Errorf("two transfers over one socket took %v", d)
		}
		return nil
	})
	for _, option := range []string{"windowsize 16", "windowsize 1", "blksize 1024", "timeout 3", "tsize 0"} {
		run("", "atftp", "--option", option, "--get", "--remote-file", "snponly.efi", "--local-file", "atftp", "127.0.0.1", fmt.Sprint(f.addr.Port()))
		check("atftp")
	}
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
		wait := patient
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
	despiteLoad(t, func() error { return sizeProbe(t, f) })
	if n := f.count.tftpStarted.Load(); n != 0 {
		t.Errorf("the probe took %d slots", n)
	}
}

// sizeProbe returns an error when the request was not forgotten at once.
func sizeProbe(t *testing.T, f *tftpFixture) error {
	t.Helper()
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00tsize\x000\x00blksize\x001468\x00windowsize\x004\x00", f.addr)
	oack := c.receive(patient)
	for _, want := range []string{"tsize\x00173792\x00", "blksize\x001468\x00", "windowsize\x004\x00"} {
		if !strings.Contains(oack, want) {
			t.Errorf("OACK %q lacks %q", oack, want)
		}
	}
	if !strings.HasPrefix(oack, "\x00\x06") {
		t.Errorf("OACK %q", oack)
	}
	start := time.Now()
	c.send("\x00\x05\x00\x08User aborted\x00", c.peer)
	waitFor(t, "request forgotten", func() bool { return f.server.pending.len() == 0 })
	if d := time.Since(start); d > 3*time.Second {
		return fmt.Errorf("forgotten after %v, by its age", d)
	}
	return nil
}

// A lost packet is sent again after a second, not after the library's five: our
// first one, and those of the library.
func TestTFTPRetransmitsAfterASecond(t *testing.T) {
	f := startTFTP(t, nil)
	despiteLoad(t, func() error { return retransmission(t, f) })
}

func retransmission(t *testing.T, f *tftpFixture) error {
	t.Helper()
	c := newRawClient(t, "127.0.0.1:0")
	defer c.conn.Close()
	c.send("\x00\x01snponly.efi\x00octet\x00", f.addr)
	for block := 1; block <= 2; block++ {
		first := c.receive(patient)
		start := time.Now()
		second := c.receive(patient)
		if first == "" || first != second || first[3] != byte(block) {
			return fmt.Errorf("block %d: first %d bytes, second %d", block, len(first), len(second))
		}
		if d := time.Since(start); d < 700*time.Millisecond || d > 3*time.Second {
			return fmt.Errorf("block %d sent again after %v", block, d)
		}
		c.send("\x00\x04"+first[2:4], c.peer)
	}
	// A repeated acknowledgement of the first packet does not double the rest
	// (the Sorcerer's Apprentice, RFC 1123, 4.2.3.1).
	if p := c.receive(patient); len(p) < 4 || p[3] != 3 {
		return fmt.Errorf("%q is not block 3", p[:min(len(p), 4)])
	}
	c.send("\x00\x04\x00\x01", c.peer)
	c.send("\x00\x04\x00\x02", c.peer)
	if p := c.receive(500 * time.Millisecond); p != "" {
		return fmt.Errorf("an old acknowledgement was answered with block %d", p[3])
	}
	return nil
}

// The block size is capped by the link: 1468 on Ethernet, whatever is asked.
func TestTFTPBlockSizeCap(t *testing.T) {
	f := startTFTP(t, nil)
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00blksize\x0065464\x00", f.addr)
	if got := c.receive(patient); got != "\x00\x06blksize\x001468\x00" {
		t.Errorf("OACK %q", got)
	}
	for mtu, want := range map[int]int{1500: 1468, 576: 544, 68: 512, 9000: 8192, 65536: 8192} {
		if got := maxBlock(mtu); got != want {
			t.Errorf("maxBlock(%d) = %d, want %d", mtu, got, want)
		}
	}
}

// A transfer under way keeps its slot whatever comes.
func TestTFTPRunningTransferSurvives(t *testing.T) {
	f := startTFTP(t, func(c *Config) { c.TFTP.Slots, c.TFTP.PerAddress = 4, 4 })
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01snponly.efi\x00octet\x00", f.addr)
	var got []byte
	for block := uint16(1); ; block++ {
		p := c.receive(patient)
		for len(p) >= 4 && p[:2] == "\x00\x03" && binary.BigEndian.Uint16([]byte(p[2:])) == block-1 {
			p = c.receive(patient) // sent again before our acknowledgement was read
		}
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

// A client that repeats its request before it has the answer gets two answers. It goes on
// with the first, so both come from one port.
func TestARepeatedRequestIsAnsweredFromTheSamePort(t *testing.T) {
	f := startTFTP(t, nil)
	c := newRawClient(t, "127.0.0.1:0")
	ports := map[netip.AddrPort]bool{}
	for range 4 {
		c.send("\x00\x01snponly.efi\x00octet\x00blksize\x001024\x00", f.addr)
		c.receive(patient)
		ports[c.peer] = true
	}
	if len(ports) != 1 {
		t.Errorf("answers from %d ports", len(ports))
	}
}
