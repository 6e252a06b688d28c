package netboot

import (
	"net/netip"
	"strconv"
)

// Choice is what a DHCP server that is not ours has to answer one kind of machine,
// so that it comes to us without the proxy.
type Choice struct {
	Name   string   // "bios", "uefi-x64", "http-x64"
	Text   string   // for people
	Archs  []uint16 // client architecture (option 93)
	HTTP   bool     // asks with the class HTTPClient instead of PXEClient
	Loader string   // the boot file: a name by TFTP, or a URL for HTTP
	Script string   // the boot file once iPXE asks (user class iPXE); empty with HTTP
}

// ForeignFirst says what UEFI firmware is given first; iPXE where it says nothing.
type ForeignFirst struct {
	Shim   bool              // Debian's shim and GRUB, on 64-bit x86 by PXE: they do not boot by HTTP
	Signed map[string]string // the shim of a signed iPXE, by architecture, below the TFTP root
}

// ForeignChoices lists the kinds of machines for an appliance with this address.
func ForeignChoices(addr netip.Addr, httpPort uint16, first ForeignFirst) []Choice {
	s := site{addr: addr, httpPort: httpPort}
	list := []struct {
		name, text string
		arch       string
		firmware   Firmware
		numbers    []uint16
	}{
		{"bios", "BIOS", ArchX64, BIOS, []uint16{0}},
		{"uefi-x64", "UEFI, 64-bit x86", ArchX64, UEFI, []uint16{7, 9}},
		{"uefi-x86", "UEFI, 32-bit x86", ArchX86, UEFI, []uint16{6}},
		{"uefi-arm64", "UEFI, 64-bit ARM", ArchARM64, UEFI, []uint16{11}},
		{"http-x64", "UEFI HTTP Boot, 64-bit x86", ArchX64, UEFIHTTP, []uint16{16}},
		{"http-x86", "UEFI HTTP Boot, 32-bit x86", ArchX86, UEFIHTTP, []uint16{15}},
		{"http-arm64", "UEFI HTTP Boot, 64-bit ARM", ArchARM64, UEFIHTTP, []uint16{19}},
	}
	var out []Choice
	for _, l := range list {
		c := Choice{Name: l.name, Text: l.text, Archs: l.numbers, HTTP: l.firmware == UEFIHTTP}
		c.Loader = loaderNames(Client{Arch: l.arch, Firmware: l.firmware})[0]
		folder := "/boot/loaders/"
		switch signed := first.Signed[l.arch]; {
		case l.firmware == BIOS:
		case signed != "":
			c.Loader, folder = signed, "/boot/"
		case first.Shim && l.arch == ArchX64 && c.HTTP:
			continue // GRUB has no way on from there
		case first.Shim && l.arch == ArchX64:
			c.Loader = shimFile
		}
		if c.HTTP {
			c.Loader = s.httpURL(folder + c.Loader)
		} else {
			// A fixed answer cannot know the machine: iPXE fills its own address in.
			c.Script = s.httpURL("/boot/script/${netX/mac:hexraw}?uuid=${uuid}&arch=" + l.arch + "&fw=" + string(l.firmware))
		}
		out = append(out, c)
	}
	return out
}

// ClassText is the start of option 60 that machines of this kind send.
func (c Choice) ClassText(arch uint16) string {
	class := classPXE
	if c.HTTP {
		class = classHTTP
	}
	digits := strconv.Itoa(int(arch))
	return class + ":Arch:" + "00000"[len(digits):] + digits
}

// AgentVendor is the content of option 43 that tells our agent where the API is.
func AgentVendor(api netip.AddrPort) []byte { return agentVendor(api) }
