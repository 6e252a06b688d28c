package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// frame makes an Ethernet frame of a UDP packet.
func frame(src, dst []byte, srcPort, dstPort byte, payload []byte) []byte {
	f := append(append(append([]byte{}, dst...), src...), 8, 0)
	f = append(f, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, 9, 255, 255, 255, 255)
	f = append(f, 0, srcPort, 0, dstPort, 0, 0, 0, 0)
	return append(f, payload...)
}

// pcapFile makes a capture of frames, a second apart.
func pcapFile(frames ...[]byte) []byte {
	b := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0}
	for i, f := range frames {
		b = append(b, byte(i+1), 0, 0, 0, 0, 0, 0, 0, byte(len(f)), byte(len(f)>>8), 0, 0, byte(len(f)), byte(len(f)>>8), 0, 0)
		b = append(b, f...)
	}
	return b
}

var testMAC = []byte{0x52, 0x54, 0, 0x77, 0, 1}

func dhcpPayload(options ...byte) []byte {
	p := make([]byte, 240)
	copy(p[28:], testMAC)
	copy(p[236:], []byte{99, 130, 83, 99})
	return append(p, options...)
}

func TestMilestonesFromACapture(t *testing.T) {
	all := []byte{255, 255, 255, 255, 255, 255}
	b := pcapFile(
		frame(testMAC, all, 68, 67, dhcpPayload(53, 1, 1, 60, 3, 'P', 'X', 'E', 255)),
		frame(all, all, 68, 67, dhcpPayload(53, 1, 1, 255)), // another machine
		frame(testMAC, all, 99, 69, append([]byte{0, 1}, "snponly.efi\x00octet\x00"...)),
		frame(testMAC, all, 99, 98, []byte{0, 4, 0, 1}),
		frame(testMAC, all, 68, 67, append(dhcpPayload(0, 53, 1, 1, 60, 12), "SlipwayAgent\xff"...)),
	)
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, append(b, 1, 2, 3), 0o600); err != nil { // a torn last packet
		t.Fatal(err)
	}
	c := Capture{Path: path}
	packets, err := c.Packets()
	if err != nil || len(packets) != 5 {
		t.Fatalf("%d packets, %v", len(packets), err)
	}
	if got := packets[2].TFTPFile(); got != "snponly.efi" {
		t.Errorf("TFTP file %q", got)
	}
	got := milestones(packets, "52:54:00:77:00:01", time.Unix(0, 0))
	want := Milestones{Discover: time.Second, Loader: 3 * time.Second, Loaded: 4 * time.Second, Agent: 5 * time.Second}
	if got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzPcap(f *testing.F) {
	f.Add(pcapFile(frame(testMAC, testMAC, 68, 67, dhcpPayload(53, 1, 1, 255))))
	f.Fuzz(func(t *testing.T, b []byte) {
		packets, _ := parsePcap(b)
		for _, p := range packets {
			_, _, _, _, _ = p.DHCPType(), p.ClientMAC(), p.TFTPFile(), p.HTTPPath(), p.DHCPOption(60)
		}
	})
}
