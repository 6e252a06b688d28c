package boot

import (
	"net"
	"net/netip"
	"strings"
)

// Args is what the kernel command line says to the agent. A value that does not
// parse is left empty: a machine with a damaged argument still reaches its prompt.
type Args struct {
	Server       string           // slipway.server=, "host:port" of the appliance's HTTPS
	Installation string           // slipway.installation=, only for messages: the image's own id decides
	Image        string           // slipway.image=
	Medium       string           // slipway.medium=, the id of the medium that the machine was started from
	Lease        netip.Addr       // slipway.lease=, the address the loader had
	BootIF       net.HardwareAddr // BOOTIF=, the adapter the loader used
	Resume       bool             // slipway.resume=disk: an unfinished deployment of this machine keeps its state on a disk
	Passcode     string           // slipway.passcode=, honoured in lab images only
	Sequence     string           // slipway.sequence=, preselects a task sequence in lab images only
}

// ParseCmdline reads the text of /proc/cmdline. Words may be quoted as the
// kernel allows it: name="value with spaces".
func ParseCmdline(text string) Args {
	var a Args
	for _, word := range splitCmdline(text) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "slipway.server":
			a.Server = value
		case "slipway.installation":
			a.Installation = value
		case "slipway.image":
			a.Image = value
		case "slipway.medium":
			a.Medium = value
		case "slipway.lease":
			if addr, err := netip.ParseAddr(value); err == nil && addr.Is4() && !addr.IsUnspecified() {
				a.Lease = addr
			}
		case "slipway.resume":
			a.Resume = value == "disk"
		case "slipway.passcode":
			a.Passcode = value
		case "slipway.sequence":
			a.Sequence = value
		case "BOOTIF":
			a.BootIF = parseBootIF(value)
		}
	}
	return a
}

// parseBootIF reads pxelinux's form "01-52-54-00-12-34-56" (hardware type
// first) and the plain form with colons or hyphens.
func parseBootIF(value string) net.HardwareAddr {
	value = strings.ReplaceAll(value, ":", "-")
	if strings.Count(value, "-") == 6 {
		value = value[strings.Index(value, "-")+1:]
	}
	mac, err := net.ParseMAC(value)
	if err != nil || len(mac) != 6 {
		return nil
	}
	return mac
}

func splitCmdline(text string) []string {
	var words []string
	var word strings.Builder
	quoted := false
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '\t' || r == '\n' || r == 0):
			flush()
		default:
			word.WriteRune(r)
		}
	}
	flush()
	return words
}
