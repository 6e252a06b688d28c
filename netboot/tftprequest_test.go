package netboot

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseTFTP(t *testing.T) {
	long := strings.Repeat("a", 256)
	for _, c := range []struct {
		name    string
		packet  string
		want    *tftpRequest
		refusal *tftpRefusal
	}{
		{"plain", "\x00\x01snponly.efi\x00octet\x00", &tftpRequest{name: "snponly.efi"}, nil},
		{"EDK2 probe", "\x00\x01a.efi\x00octet\x00tsize\x000\x00blksize\x001468\x00windowsize\x004\x00", &tftpRequest{name: "a.efi", blksize: 1468, tsize: true, window: 4}, nil},
		{"timeout", "\x00\x01a\x00octet\x00timeout\x003\x00", &tftpRequest{name: "a", timeout: 3}, nil},
		{"no window", "\x00\x01a\x00octet\x00windowsize\x000\x00", nil, refuseOption},
		{"endless window", "\x00\x01a\x00octet\x00windowsize\x0065536\x00", nil, refuseOption},
		{"timeout of a day", "\x00\x01a\x00octet\x00timeout\x0086400\x00", nil, refuseOption},
		{"cases", "\x00\x01A\x00OCTET\x00BLKSIZE\x00512\x00TSize\x000\x00", &tftpRequest{name: "A", blksize: 512, tsize: true}, nil},
		{"netascii", "\x00\x01a\x00netascii\x00tsize\x000\x00", &tftpRequest{name: "a", netascii: true}, nil},
		{"small block", "\x00\x01a\x00octet\x00blksize\x008\x00", &tftpRequest{name: "a"}, nil},

		{"write", "\x00\x02a\x00octet\x00", nil, refuseWrite},
		{"mail", "\x00\x01a\x00mail\x00", nil, refuseMode},
		{"no mode", "\x00\x01a\x00", nil, refuseMalformed},
		{"no name", "\x00\x01\x00octet\x00", nil, refuseMalformed},
		{"no last NUL", "\x00\x01a\x00octet", nil, refuseMalformed},
		{"option without a value", "\x00\x01a\x00octet\x00tsize\x00", nil, refuseMalformed},
		{"long name", "\x00\x01" + long + "\x00octet\x00", nil, refuseMalformed},
		{"control byte", "\x00\x01a\nb\x00octet\x00", nil, refuseMalformed},
		{"too long", "\x00\x01a\x00octet\x00" + strings.Repeat("x\x00y\x00", 130), nil, refuseMalformed},
		{"many options", "\x00\x01a\x00octet\x00" + strings.Repeat("x\x00y\x00", 17), nil, refuseMalformed},
		{"twice", "\x00\x01a\x00octet\x00tsize\x000\x00TSIZE\x000\x00", nil, refuseOption},
		{"long value", "\x00\x01a\x00octet\x00tsize\x00" + strings.Repeat("0", 33) + "\x00", nil, refuseOption},
		{"long option", "\x00\x01a\x00octet\x00" + strings.Repeat("o", 33) + "\x000\x00", nil, refuseOption},
		{"block of nonsense", "\x00\x01a\x00octet\x00blksize\x00-1\x00", nil, refuseOption},
		{"block too large", "\x00\x01a\x00octet\x00blksize\x0065465\x00", nil, refuseOption},
		{"block too small", "\x00\x01a\x00octet\x00blksize\x007\x00", nil, refuseOption},
		{"size of nonsense", "\x00\x01a\x00octet\x00tsize\x00x\x00", nil, refuseOption},

		{"stray ACK", "\x00\x04\x00\x01", nil, nil},
		{"stray DATA", "\x00\x03\x00\x01abc", nil, nil},
		{"stray ERROR", "\x00\x05\x00\x01no\x00", nil, nil},
		{"unknown opcode", "\x00\x09", nil, nil},
		{"short", "\x00", nil, nil},
	} {
		got, refusal := parseTFTP([]byte(c.packet))
		if refusal != c.refusal {
			t.Errorf("%s: refusal %v, want %v", c.name, refusal, c.refusal)
		}
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Every captured request is served, windowsize and all.
func TestParseTFTPCaptured(t *testing.T) {
	for _, name := range packetNames(t, "tftp") {
		b, err := os.ReadFile(filepath.Join("testdata", "tftp", name+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		if r, refusal := parseTFTP(b); r == nil {
			t.Errorf("%s: refused: %v", name, refusal)
		}
	}
}

func TestCleanTFTPName(t *testing.T) {
	for in, want := range map[string]string{
		"snponly.efi":            "snponly.efi",
		"/snponly.efi":           "snponly.efi",
		`\Boot\BCD`:              "Boot/BCD",
		"dir//grubx64.efi":       "dir/grubx64.efi",
		"./a":                    "a",
		"../etc/passwd":          "",
		`..\..\etc\passwd`:       "",
		"a/../../etc/passwd":     "",
		"a/.hidden":              "",
		"":                       "",
		"/":                      "",
		"a b":                    "",
		"C:\\boot":               "",
		strings.Repeat("a", 129): "",
	} {
		if got, ok := cleanTFTPName(in); got != want || ok != (want != "") {
			t.Errorf("cleanTFTPName(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
}

func FuzzTFTPGuard(f *testing.F) {
	for _, name := range packetNames(f, "tftp") {
		b, err := os.ReadFile(filepath.Join("testdata", "tftp", name+".bin"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x00\x01a\x00octet\x00blksize\x0065464\x00tsize\x00999999999999\x00"))
	f.Add([]byte("\x00\x02a\x00octet\x00"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		r, refusal := parseTFTP(packet)
		if r == nil {
			if refusal != nil && len(refusal.marshal()) > 64 {
				t.Fatal("a refusal is longer than its request could be")
			}
			return
		}
		// What the library gets is well formed and means the same.
		again := r.marshal()
		if len(again) > maxTFTPRequest {
			t.Fatalf("%d bytes for the library", len(again))
		}
		r2, refusal := parseTFTP(again)
		if refusal != nil {
			t.Fatalf("our own request is refused: %v", refusal)
		}
		r.tsize, r.window, r.timeout = false, 0, 0 // these are answered by us
		if *r2 != *r {
			t.Fatalf("%+v became %+v", *r, *r2)
		}
		if clean, ok := cleanTFTPName(r.name); ok && (strings.Contains(clean, "..") && !strings.Contains(r.name, "..") ||
			strings.HasPrefix(clean, "/") || bytes.ContainsAny([]byte(clean), "\\\x00")) {
			t.Fatalf("name %q became %q", r.name, clean)
		}
	})
}
