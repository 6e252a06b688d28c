package netboot

import (
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// The packets in testdata/dhcp and testdata/tftp are payloads of real requests,
// named after firmware, message, sender and port.

var update = flag.Bool("update", false, "rewrite the golden files")

func readPacket(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "dhcp", name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func packetNames(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.bin"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no packets in testdata/%s: %v", dir, err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".bin"))
	}
	return names
}

// mustClassify reads a captured packet; the port is in its name.
func mustClassify(t *testing.T, name string) request {
	t.Helper()
	r, err := classify(mustParse(t, readPacket(t, name)), strings.HasSuffix(name, "-4011"))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func mustParse(t testing.TB, raw []byte) *dhcpv4.DHCPv4 {
	t.Helper()
	p, err := parsePacket(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var testSite = site{addr: netip.MustParseAddr("10.77.0.2"), httpPort: 8080, httpsPort: 8443}

// golden compares with testdata/golden/<name>.hex, a hex dump.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".hex")
	text := hex.Dump(got)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("%s: reply differs from the golden file\ngot\n%s\nwant\n%s", name, text, want)
	}
}
