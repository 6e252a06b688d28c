package netboot

import (
	"context"
	"net"
	"net/netip"
)

// Firmware is the kind of code that asks for a loader.
type Firmware string

// The kinds of firmware we answer.
const (
	BIOS     Firmware = "bios"
	UEFI     Firmware = "uefi"      // PXE: loader by TFTP
	UEFIHTTP Firmware = "uefi-http" // UEFI HTTP Boot: loader by URL
)

// Client is what is known of a machine that asks the network. All of it is a claim.
type Client struct {
	MAC                         net.HardwareAddr
	UUID                        string // canonical lower case, empty when missing or nonsense
	Arch                        string // x64, arm64, x86
	Firmware                    Firmware
	Loader                      bool       // it is our loader (iPXE) asking, not the firmware
	Address                     netip.Addr // its address, when known
	Server                      netip.Addr // our address as it reaches us, when known
	Serial, Manufacturer, Model string     // told by the loader's script request, when known
}

// Target is what the policy decided.
type Target string

// The targets of a decision. Silence is a nil *Boot.
const (
	TargetImage Target = "image"
	TargetDisk  Target = "disk"
)

// Way is what UEFI firmware is given first. A BIOS always gets iPXE.
type Way string

// The ways.
const (
	WayIPXE    Way = "ipxe"        // iPXE and a script: shows messages, needs Secure Boot off
	WayOneFile Way = "one-file"    // the boot image as one program: no loader in between
	WayShim    Way = "shim"        // Debian's signed shim and GRUB; the DHCP lease must name us
	WaySigned  Way = "signed-ipxe" // a signed release of iPXE that the administrator added
)

// Boot is a decision. For TargetImage the paths are below /boot/ of the HTTP
// boot server ("<image id>/vmlinuz").
type Boot struct {
	Target  Target
	Kernel  string
	Initrds []string
	Cmdline []string // one argument each, unquoted
	// OneFile is the image as one program that UEFI firmware starts by itself,
	// below /boot/ as well; empty when the image has none.
	OneFile string
	// FastKernel is Kernel without signature, which starts faster: for BIOS. Empty when
	// the image has none.
	FastKernel string
	Windows    *Windows // the image is Windows PE; Kernel is then empty
	Way        Way      // how UEFI firmware gets there; empty: WayIPXE
	Message    string   // shown by the loader, e.g. "no boot image has been built yet"; Kernel is then empty
}

// Policy decides what a client boots. It is owned by its caller, netboot.
//
//   - (nil, nil): stay silent; not even the loader is served.
//   - (boot, nil): do that.
//   - (nil, err): the policy could not be asked; netboot stays silent and logs.
//
// Peek is asked for DHCP offers and must not consume a one-time answer, except a
// one-time silence, which no script request ever follows; Decide is asked when
// the loader fetches its script and may consume it. Both must return quickly;
// netboot bounds them by a deadline.
type Policy interface {
	Peek(ctx context.Context, c Client) (*Boot, error)
	Decide(ctx context.Context, c Client) (*Boot, error)
}
