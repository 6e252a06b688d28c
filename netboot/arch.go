package netboot

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// The architectures a Client may have.
const (
	ArchX64   = "x64"
	ArchARM64 = "arm64"
	ArchX86   = "x86"
)

// platform is what a client architecture number (DHCP option 93, IANA
// "Processor Architecture Types") means to us.
type platform struct {
	arch     string
	firmware Firmware
}

// lookupPlatform translates an option 93 number. Both 7 and 9 are x64: RFC 4578
// calls 7 "EFI BC", but every x64 firmware in the field sends it, and 9 as well.
func lookupPlatform(n uint16) (platform, bool) {
	switch n {
	case 0:
		// A BIOS does not say whether the processor has 64 bits. All that is
		// sold for two decades has, and the boot image is x64 only.
		return platform{ArchX64, BIOS}, true
	case 6:
		return platform{ArchX86, UEFI}, true
	case 7, 9:
		return platform{ArchX64, UEFI}, true
	case 11:
		return platform{ArchARM64, UEFI}, true
	case 15:
		return platform{ArchX86, UEFIHTTP}, true
	case 16:
		return platform{ArchX64, UEFIHTTP}, true
	case 19:
		return platform{ArchARM64, UEFIHTTP}, true
	}
	return platform{}, false
}

// platformOf finds the platform from option 93 and, where that is missing or
// nonsense, from the text of option 60 ("PXEClient:Arch:00007:UNDI:003000").
// A PXE client that states neither is an old BIOS ROM; any other is unknown.
func platformOf(option93 []byte, vendorClass string) (platform, bool) {
	http := strings.HasPrefix(vendorClass, classHTTP)
	p, ok := platformFromOption(option93)
	if !ok {
		p, ok = platformFromClass(vendorClass)
	}
	if !ok {
		if http || len(option93) >= 2 || strings.Contains(vendorClass, ":Arch:") {
			return platform{}, false // it names something that we do not know
		}
		return platform{ArchX64, BIOS}, true
	}
	// The class says which protocol the client wants. Firmware was seen to state
	// a plain number with the HTTP class, so the class wins.
	switch {
	case http:
		p.firmware = UEFIHTTP
	case p.firmware == UEFIHTTP:
		p.firmware = UEFI
	}
	return p, true
}

// platformFromOption takes the first known number: the option is a list
// (RFC 4578, 2.1) although firmware sends one.
func platformFromOption(v []byte) (platform, bool) {
	for ; len(v) >= 2; v = v[2:] {
		if p, ok := lookupPlatform(binary.BigEndian.Uint16(v)); ok {
			return p, true
		}
	}
	return platform{}, false
}

func platformFromClass(class string) (platform, bool) {
	_, rest, ok := strings.Cut(class, ":Arch:")
	if !ok {
		return platform{}, false
	}
	digits, _, _ := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return platform{}, false
	}
	return lookupPlatform(uint16(n))
}
