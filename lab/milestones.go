package lab

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// Milestones are the moments of a network boot, counted from power-on. Zero: not seen.
type Milestones struct {
	Discover time.Duration // first DHCPDISCOVER
	Loader   time.Duration // first file asked for
	Script   time.Duration // boot script asked for
	Kernel   time.Duration // kernel asked for
	Initrd   time.Duration // initrd asked for
	Loaded   time.Duration // last packet of the boot files: the kernel takes over
	Agent    time.Duration // first packet of the agent's own DHCP or HTTPS
	Prompt   time.Duration // set by the caller: the challenge is on the screen
}

// Milestones reads a machine's boot out of the capture.
func (c *Capture) Milestones(m *Machine) (Milestones, error) {
	packets, err := c.Packets()
	if err != nil {
		return Milestones{}, err
	}
	return milestones(packets, m.MAC, m.Started), nil
}

func milestones(packets []Packet, mac string, start time.Time) Milestones {
	var out Milestones
	for _, p := range packets {
		if p.SrcMAC != mac || p.Time.Before(start) {
			continue
		}
		at := p.Time.Sub(start)
		first := func(d *time.Duration) {
			if *d == 0 {
				*d = at
			}
		}
		asked := p.TFTPFile() + p.HTTPPath()
		file := path.Base(asked)
		if out.Agent == 0 && (p.TCP && p.DstPort == 8080 || p.isTFTPAck() || asked != "") {
			out.Loaded = at
		}
		if strings.HasPrefix(asked, "/boot/script/") {
			first(&out.Script)
		}
		switch {
		case p.DHCPType() == 1 && strings.HasPrefix(string(p.DHCPOption(60)), "SlipwayAgent"), p.TCP && p.DstPort == 8443:
			first(&out.Agent)
		case p.DHCPType() == 1:
			first(&out.Discover)
		case strings.HasPrefix(file, "vmlinuz"), file == "linux": // ours, Debian's installer
			first(&out.Kernel)
		case strings.HasPrefix(file, "initrd"):
			first(&out.Initrd)
		case asked != "":
			first(&out.Loader)
		}
	}
	return out
}

// String gives the times in seconds.
func (m Milestones) String() string {
	s := func(d time.Duration) string {
		if d == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f", d.Seconds())
	}
	return fmt.Sprintf("DISCOVER %s s, loader %s, script %s, kernel %s, initrd %s, loaded %s, agent %s, prompt %s",
		s(m.Discover), s(m.Loader), s(m.Script), s(m.Kernel), s(m.Initrd), s(m.Loaded), s(m.Agent), s(m.Prompt))
}
