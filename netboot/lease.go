package netboot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Lease is an address that a client has, had, or has declined. There is one at
// most for an address.
type Lease struct {
	Address  netip.Addr
	Client   string // who has it: a hardware address, or "id:" and the client identifier (option 61) in hex
	MAC      string // hardware address, lower case with colons
	Host     string // the name that the client gives itself: a claim
	Given    time.Time
	Expires  time.Time // from then on somebody else may get the address
	Declined bool      // the client found somebody else using it; Expires is when it is tried again
}

// Leases keeps leases beyond the end of the program. It is owned by its caller,
// the lease server, which is the only writer and calls it from many goroutines,
// but never twice at a time for the same address.
type Leases interface {
	// Load returns every lease that is kept.
	Load(ctx context.Context) ([]Lease, error)
	// Save keeps a lease in place of what was kept for its address. When it returns
	// nil the lease is on disk: only then is the client told.
	Save(ctx context.Context, l Lease) error
	// Forget removes what is kept for addresses.
	Forget(ctx context.Context, addresses []netip.Addr) error
}

// leaseStage is what a client wants of a DHCP server (RFC 2131, table 4 and 4.3).
type leaseStage int

const (
	stageDiscover   leaseStage = iota + 1
	stageSelecting             // takes an offer
	stageInitReboot            // wants its old address after a restart
	stageRenewing              // extends its lease, asks its server alone
	stageRebinding             // extends its lease, asks any server
	stageDecline
	stageRelease
	stageInform // has an address from elsewhere, wants the options
)

// stageOf reads the stage from a packet; ok is false when it fits none. unicast
// says that it was sent to our own address: renewing and rebinding differ in
// nothing else.
func stageOf(p *dhcpv4.DHCPv4, unicast bool) (st leaseStage, ok bool) {
	switch p.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		return stageDiscover, true
	case dhcpv4.MessageTypeDecline:
		return stageDecline, true
	case dhcpv4.MessageTypeRelease:
		return stageRelease, true
	case dhcpv4.MessageTypeInform:
		return stageInform, !unset(p.ClientIPAddr)
	case dhcpv4.MessageTypeRequest:
	default:
		return 0, false
	}
	server, address := p.Options.Has(dhcpv4.OptionServerIdentifier), p.Options.Has(dhcpv4.OptionRequestedIPAddress)
	switch {
	case server && address:
		return stageSelecting, true
	case server: // asks a boot server, or is nonsense
		return 0, false
	case !unset(p.ClientIPAddr) && unicast:
		return stageRenewing, true
	case !unset(p.ClientIPAddr):
		return stageRebinding, true
	}
	return stageInitReboot, address
}

// leaseClient is who asks for a lease.
type leaseClient struct {
	key  string // Lease.Client
	mac  string
	host string
}

// leaseClientOf tells clients apart by their identifier (option 61) and, without
// one, by their hardware address. What runs before an operating system is always
// told by its hardware address: firmware, loader and agent send different
// identifiers, or none, and are to have one address between them.
func leaseClientOf(p *dhcpv4.DHCPv4) leaseClient {
	c := leaseClient{mac: p.ClientHWAddr.String(), host: hostName(p)}
	c.key = c.mac
	id := p.Options.Get(dhcpv4.OptionClientIdentifier)
	class := vendorClass(p)
	boots := strings.HasPrefix(class, classPXE) || strings.HasPrefix(class, classHTTP) || class == ClassAgent || isLoader(p)
	ethernet := len(id) == 7 && id[0] == 1 && string(id[1:]) == string(p.ClientHWAddr)
	switch {
	case len(id) < 2, boots, ethernet:
	case len(id) > 64:
		sum := sha256.Sum256(id)
		c.key = "id:" + hex.EncodeToString(sum[:])
	default:
		c.key = "id:" + hex.EncodeToString(id)
	}
	return c
}

// hostName reads option 12; what is not a plain name is left out.
func hostName(p *dhcpv4.DHCPv4) string {
	name := strings.TrimRight(string(p.Options.Get(dhcpv4.OptionHostName)), "\x00")
	if len(name) > 63 {
		return ""
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '.' && c != '_' {
			return ""
		}
	}
	return name
}

// address4 reads an address field of a packet.
func address4(ip []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	if a = a.Unmap(); a.Is4() && !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}
