// Package dhcpoptions writes the settings by which a DHCP server that must stay
// alone leads machines to the appliance, in the words of several servers.
package dhcpoptions

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"slipway/netboot"
)

// Values are what the settings are filled with.
type Values struct {
	Address  netip.Addr // of the appliance, as devices reach it
	HTTPPort uint16     // boot files
	APIPort  uint16     // HTTPS
	First    netboot.ForeignFirst
}

func (v Values) choices() []netboot.Choice {
	return netboot.ForeignChoices(v.Address, v.HTTPPort, v.First)
}

// agent is option 43 for our agent, as bytes in hex with a separator.
func (v Values) agent(separator string) string {
	raw := netboot.AgentVendor(netip.AddrPortFrom(v.Address, v.APIPort))
	var out []string
	for _, b := range raw {
		out = append(out, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(out, separator)
}

// Servers are the servers that Write knows.
func Servers() []string { return []string{"isc", "kea", "dnsmasq", "windows"} }

// Write returns the settings for a server.
func Write(server string, v Values) (string, error) {
	switch server {
	case "isc":
		return isc(v), nil
	case "kea":
		return kea(v)
	case "dnsmasq":
		return dnsmasq(v), nil
	case "windows":
		return windows(v), nil
	}
	return "", fmt.Errorf("the server %q is not known; use %s", server, strings.Join(Servers(), ", "))
}

// text gathers lines.
type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) { fmt.Fprintf(&t.Builder, format+"\n", args...) }

func isc(v Values) string {
	var t text
	t.line("# Slipway at %s. Put this into dhcpd.conf, outside of every subnet.", v.Address)
	t.line("option slipway-arch code 93 = unsigned integer 16;")
	t.line("")
	t.line("class \"slipway-pxe\" {")
	t.line("  match if substring(option vendor-class-identifier, 0, 9) = \"PXEClient\";")
	t.line("  next-server %s;", v.Address)
	t.line("  # iPXE asks again once it runs, and gets the script of the machine.")
	t.line("  if option user-class = \"iPXE\" or substring(option user-class, 1, 4) = \"iPXE\" {")
	iscFiles(&t, "    ", v, false, func(c netboot.Choice) string { return c.Script })
	t.line("  } else {")
	iscFiles(&t, "    ", v, false, func(c netboot.Choice) string { return c.Loader })
	t.line("  }\n}\n")
	t.line("class \"slipway-http\" {")
	t.line("  match if substring(option vendor-class-identifier, 0, 10) = \"HTTPClient\";")
	t.line("  # The firmware ignores an answer without this class.")
	t.line("  option vendor-class-identifier \"HTTPClient\";")
	t.line("  option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, 3c);")
	iscFiles(&t, "  ", v, true, func(c netboot.Choice) string { return c.Loader })
	t.line("}\n")
	t.line("# Slipway's agent learns where the appliance is.")
	t.line("class \"slipway-agent\" {")
	t.line("  match if option vendor-class-identifier = \"%s\";", netboot.ClassAgent)
	t.line("  option vendor-class-identifier \"%s\";", netboot.ClassAgent)
	t.line("  option vendor-encapsulated-options %s;", v.agent(":"))
	t.line("  option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, 3c, 2b);")
	t.line("}")
	return t.String()
}

// iscFiles chooses a boot file by architecture.
func iscFiles(t *text, indent string, v Values, http bool, file func(netboot.Choice) string) {
	word := "if"
	for _, c := range v.choices() {
		if c.HTTP != http {
			continue
		}
		t.line("%s%s %s { # %s", indent, word, iscArch(c), c.Text)
		t.line("%s  filename \"%s\";", indent, file(c))
		word = "} elsif"
	}
	t.line("%s}", indent)
}

func iscArch(c netboot.Choice) string {
	var out []string
	for _, n := range c.Archs {
		out = append(out, fmt.Sprintf("option slipway-arch = %02x:%02x", n>>8, n&0xff))
	}
	return strings.Join(out, " or ")
}

func dnsmasq(v Values) string {
	var t text
	t.line("# Slipway at %s. Put this into a file below /etc/dnsmasq.d.", v.Address)
	t.line("dhcp-userclass=set:slipway-ipxe,iPXE")
	t.line("dhcp-vendorclass=set:slipway-pxe,PXEClient")
	t.line("dhcp-vendorclass=set:slipway-httpclass,HTTPClient")
	for _, c := range v.choices() {
		class := "slipway-pxe"
		if c.HTTP {
			class = "slipway-httpclass"
		}
		t.line("\n# %s", c.Text)
		for _, n := range c.Archs {
			t.line("dhcp-match=set:slipway-%s,option:client-arch,%d", c.Name, n)
		}
		if c.HTTP {
			t.line("dhcp-boot=tag:slipway-%s,tag:%s,%s,,%s", c.Name, class, c.Loader, v.Address)
			continue
		}
		t.line("dhcp-boot=tag:slipway-%s,tag:%s,tag:!slipway-ipxe,%s,,%s", c.Name, class, c.Loader, v.Address)
		t.line("dhcp-boot=tag:slipway-%s,tag:slipway-ipxe,%s,,%s", c.Name, c.Script, v.Address)
	}
	t.line("\n# The firmware ignores an answer to HTTP Boot without this class.")
	t.line("dhcp-option-force=tag:slipway-httpclass,60,HTTPClient")
	t.line("\n# Slipway's agent learns where the appliance is.")
	t.line("dhcp-vendorclass=set:slipway-agent,%s", netboot.ClassAgent)
	t.line("dhcp-option-force=tag:slipway-agent,60,%s", netboot.ClassAgent)
	t.line("dhcp-option-force=tag:slipway-agent,43,%s", v.agent(":"))
	return t.String()
}
