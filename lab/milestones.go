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
	Kernel   time.Duration // kernel asked for
	Initrd   time.Duration // initrd asked for
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
		file := path.Base(p.HTTPPath())
		switch {
		case p.DHCPType() == 1 && strings.HasPrefix(string(p.DHCPOption(60)), "SlipwayAgent"), p.TCP && p.DstPort == 8443:
			first(&out.Agent)
		case p.DHCPType() == 1:
			first(&out.Discover)
		case strings.HasPrefix(file, "vmlinuz"):
			first(&out.Kernel)
		case strings.HasPrefix(file, "initrd"):
			first(&out.Initrd)
		case p.TFTPFile() != "" || p.HTTPPath() != "":
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
	return fmt.Sprintf("DISCOVER %s s, loader %s, kernel %s, initrd %s, agent %s, prompt %s",
		s(m.Discover), s(m.Loader), s(m.Kernel), s(m.Initrd), s(m.Agent), s(m.Prompt))
}
