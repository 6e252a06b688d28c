package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Capture records the segment's packets with tcpdump.
type Capture struct {
	*Process
	Path string
}

// StartCapture records from the bridge into <run>/<name>.pcap until the run ends.
func (n *Network) StartCapture(name string) (*Capture, error) {
	c := &Capture{Path: n.run.Path(name + ".pcap")}
	var err error
	// Immediate mode and -U: every packet is in the file at once. Long payloads are of no use.
	c.Process, err = n.run.Start("tcpdump", n.Bridge, "tcpdump", "-i", "br0", "-n", "--immediate-mode", "-U", "-s", "700",
		"-Z", "root", "-w", c.Path, "udp or tcp or icmp6")
	if err != nil {
		return nil, err
	}
	return c, c.WaitFor(5*time.Second, "tcpdump", func() bool {
		b, _ := os.ReadFile(c.Log)
		return strings.Contains(string(b), "listening on")
	})
}

// Packet is one captured UDP or TCP packet over IPv4.
type Packet struct {
	Time             time.Time
	SrcMAC, DstMAC   string
	Src, Dst         string // dotted addresses
	TCP              bool
	SrcPort, DstPort uint16
	Payload          []byte
}

// Packets returns what has been captured so far.
func (c *Capture) Packets() ([]Packet, error) {
	b, err := os.ReadFile(c.Path)
	if err != nil {
		return nil, err
	}
	return parsePcap(b)
}

// parsePcap reads a little-endian microsecond pcap file of Ethernet frames. A
// last packet that is not complete yet is left out.
func parsePcap(b []byte) ([]Packet, error) {
	if len(b) < 24 || binary.LittleEndian.Uint32(b) != 0xa1b2c3d4 {
		return nil, errors.New("not a pcap file of this machine")
	}
	var out []Packet
	for b = b[24:]; len(b) >= 16; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		if n < 0 || 16+n > len(b) {
			break
		}
		t := time.Unix(int64(binary.LittleEndian.Uint32(b)), 1000*int64(binary.LittleEndian.Uint32(b[4:])))
		if p, ok := parseFrame(b[16 : 16+n]); ok {
			p.Time = t
			out = append(out, p)
		}
		b = b[16+n:]
	}
	return out, nil
}

func parseFrame(f []byte) (Packet, bool) {
	if len(f) < 14+20 || binary.BigEndian.Uint16(f[12:]) != 0x0800 {
		return Packet{}, false
	}
	p := Packet{DstMAC: macText(f[0:6]), SrcMAC: macText(f[6:12])}
	ip := f[14:]
	size := int(ip[0]&15) * 4
	if size < 20 || len(ip) < size+8 {
		return Packet{}, false
	}
	p.Src, p.Dst = ipText(ip[12:16]), ipText(ip[16:20])
	body := ip[size:]
	p.SrcPort, p.DstPort = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	head := 8
	switch ip[9] {
	case 17:
	case 6:
		if len(body) < 20 {
			return Packet{}, false
		}
		p.TCP, head = true, int(body[12]>>4)*4
	default:
		return Packet{}, false
	}
	if head > len(body) {
		return Packet{}, false
	}
	p.Payload = body[head:]
	return p, true
}

func macText(b []byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}
func ipText(b []byte) string { return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3]) }

// DHCPType returns the message type (option 53) of a DHCP packet, 0 when it is none.
func (p Packet) DHCPType() byte {
	v := p.DHCPOption(53)
	if len(v) != 1 {
		return 0
	}
	return v[0]
}

// DHCPOption returns an option's bytes (RFC 2132), nil when it is not there or
// the packet is not DHCP.
func (p Packet) DHCPOption(code byte) []byte {
	if p.TCP || len(p.Payload) < 240 || !bytes.Equal(p.Payload[236:240], []byte{99, 130, 83, 99}) {
		return nil
	}
	for o := p.Payload[240:]; len(o) >= 2 && o[0] != 255; {
		if o[0] == 0 {
			o = o[1:]
			continue
		}
		n := int(o[1])
		if len(o) < 2+n {
			return nil
		}
		if o[0] == code {
			return o[2 : 2+n]
		}
		o = o[2+n:]
	}
	return nil
}

// ClientMAC returns the hardware address in a DHCP packet.
func (p Packet) ClientMAC() string {
	if len(p.Payload) < 240 {
		return ""
	}
	return macText(p.Payload[28:34])
}

// ClientAddress returns the address that a DHCP client says it has (ciaddr).
func (p Packet) ClientAddress() string { return p.dhcpAddress(12) }

// YourAddress returns the address that a DHCP server gives (yiaddr).
func (p Packet) YourAddress() string { return p.dhcpAddress(16) }

func (p Packet) dhcpAddress(at int) string {
	if len(p.Payload) < 240 {
		return ""
	}
	return ipText(p.Payload[at : at+4])
}

// TFTPFile returns the file a TFTP read request asks for.
func (p Packet) TFTPFile() string {
	if p.TCP || p.DstPort != 69 || len(p.Payload) < 4 || p.Payload[0] != 0 || p.Payload[1] != 1 {
		return ""
	}
	name, _, _ := bytes.Cut(p.Payload[2:], []byte{0})
	return string(name)
}

// isTFTPAck reports whether a packet acknowledges a block of a file (RFC 1350).
func (p Packet) isTFTPAck() bool {
	return !p.TCP && len(p.Payload) == 4 && p.Payload[0] == 0 && p.Payload[1] == 4
}

// HTTPPath returns the path that a plain HTTP request asks for.
func (p Packet) HTTPPath() string {
	if !p.TCP {
		return ""
	}
	line, _, _ := bytes.Cut(p.Payload, []byte("\r\n"))
	f := strings.Fields(string(line))
	if len(f) == 3 && (f[0] == "GET" || f[0] == "HEAD") && strings.HasPrefix(f[2], "HTTP/") {
		return f[1]
	}
	return ""
}
