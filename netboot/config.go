package netboot

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Config says what to serve and where. Policy, Images and Loaders must be set;
// the rest has defaults (Defaults) that hold for zero values.
type Config struct {
	// Advertise is the address that devices reach us at. When it is not set, it is
	// that of the interface that heard the device.
	Advertise netip.Addr
	// Interfaces are the names of the interfaces served; empty means all that are
	// up and not loopback, including those that come later.
	Interfaces []string

	DHCP DHCPConfig
	TFTP TFTPConfig
	RA   RAConfig

	HTTPPort  uint16 // where Handler is served, as devices reach it
	HTTPSPort uint16 // where the API is served, as devices reach it

	Policy  Policy
	Images  Files // boot images: "<image id>/<file>"
	Loaders Files // loaders, by name in the root

	Logger *slog.Logger
	Now    func() time.Time
}

// DHCPConfig is the DHCP part.
type DHCPConfig struct {
	Off     bool   // do not answer DHCP at all
	Port    uint16 // 67
	PXEPort uint16 // 4011, the boot server port

	// Subnets are the networks in which addresses are handed out, kept in Leases.
	// Everywhere else the proxy answers beside another DHCP server.
	Subnets []Subnet
	Leases  Leases
	Force   bool // hand out addresses although another DHCP server answers there

	times watchTimes // of the tests
}

// clientPort is where clients listen: one above the server's port (RFC 2131),
// which lets tests and labs move both.
func (c DHCPConfig) clientPort() uint16 { return c.Port + 1 }

// TFTPConfig is the TFTP part.
type TFTPConfig struct {
	Off    bool
	Listen netip.AddrPort // IPv4; port 69
	// Slots is the number of transfers at a time, PerAddress of them for one
	// client address.
	Slots, PerAddress int
}

// withDefaults fills what is not set.
func (c Config) withDefaults() Config {
	set := func(p *uint16, v uint16) {
		if *p == 0 {
			*p = v
		}
	}
	set(&c.DHCP.Port, portDHCPServer)
	set(&c.DHCP.PXEPort, 4011)
	set(&c.HTTPPort, 8080)
	set(&c.HTTPSPort, 8443)
	if !c.TFTP.Listen.IsValid() {
		c.TFTP.Listen = netip.AddrPortFrom(netip.IPv4Unspecified(), 69)
	}
	if c.DHCP.times == (watchTimes{}) {
		c.DHCP.times = defaultWatchTimes()
	}
	if c.RA.times == (raTimes{}) {
		c.RA.times = defaultRATimes()
	}
	if c.TFTP.Slots == 0 {
		c.TFTP.Slots = 256
	}
	if c.TFTP.PerAddress == 0 {
		c.TFTP.PerAddress = 32
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports every mistake, one per line, each naming its key as in the
// appliance's configuration file.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Policy == nil {
		bad("netboot: no boot policy given")
	}
	if c.Images == nil || c.Loaders == nil {
		bad("netboot: no files given for boot images or loaders")
	}
	if a := c.Advertise; a.IsValid() && (!a.Is4() || a.IsUnspecified() || a.IsMulticast()) {
		bad("advertise: %s is not an IPv4 address that a device could reach", a)
	}
	for _, n := range c.Interfaces {
		if !ValidInterface(n) {
			bad("interfaces: %q is not the name of a network interface", n)
		}
	}
	if c.DHCP.Port != 0 && c.DHCP.Port == c.DHCP.PXEPort {
		bad("dhcp.pxe_port: must differ from dhcp.port (%d)", c.DHCP.Port)
	}
	if err := ValidateSubnets(c.DHCP.Subnets); err != nil {
		bad("dhcp.subnets: %w", err)
	}
	if len(c.DHCP.Subnets) > 0 && c.DHCP.Leases == nil {
		bad("netboot: no place given to keep leases in")
	}
	if l := c.TFTP.Listen; l.IsValid() && !l.Addr().Is4() {
		bad("tftp.listen: %s is not an IPv4 address (firmware loads by IPv4)", l.Addr())
	}
	if c.TFTP.Slots < 0 || c.TFTP.PerAddress < 0 {
		bad("tftp: limits must not be negative")
	}
	return errors.Join(errs...)
}

// ValidInterface reports whether a network interface can have this name: IFNAMSIZ is
// 16 with the ending NUL.
func ValidInterface(name string) bool {
	return name != "" && len(name) <= 15 && !strings.ContainsAny(name, "/ \t\n")
}
