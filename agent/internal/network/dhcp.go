package network

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Link is what the client needs of an adapter: two ways to talk. A conversation
// is opened for one exchange and closed after it, so that no socket listens to
// a deployment's traffic.
type Link interface {
	Broadcast() (Conversation, error)
	Unicast(local, server netip.Addr) (Conversation, error)
}

// Conversation sends and receives DHCP messages. Receive returns ctx's error
// when ctx ends first.
type Conversation interface {
	Send(*dhcpv4.DHCPv4) error
	Receive(ctx context.Context) (*dhcpv4.DHCPv4, error)
	Close() error
}

// Event is what a Client tells.
type Event struct {
	State     State
	Lease     Lease  // Leased and Renewing
	Appliance string // when an offer named it
	Err       error  // why it does not get on
}

// State of a client.
type State int

// The states.
const (
	NoLink   State = iota // no carrier
	Asking                // no address yet
	Leased                // address held
	Renewing              // address held, but its server has not answered a renewal
)

// Client keeps a lease on one adapter.
type Client struct {
	MAC       net.HardwareAddr
	Requested netip.Addr // address to ask for first; zero for none
	Link      Link
	Tell      func(Event)
}

var (
	errNak     = errors.New("the DHCP server refused the address")
	errSilence = errors.New("no DHCP server answers")
)

const (
	rebootTries = 2                      // for the address the loader had
	offerGrace  = 300 * time.Millisecond // wait for the appliance's extra offer after the first real one
	firstWait   = time.Second
	longestWait = 16 * time.Second
)

// Run asks, renews and asks again until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	wanted, remembered := c.Requested, c.Requested.IsValid()
	for {
		lease, err := Lease{}, errNak
		if remembered {
			if lease, err = c.takeOver(ctx, wanted); errors.Is(err, errNak) {
				c.Tell(Event{State: Asking, Err: err})
			}
			remembered = false
		}
		if err != nil && ctx.Err() == nil {
			lease, err = c.acquire(ctx, wanted)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.Tell(Event{State: Asking, Err: err})
			if err := sleep(ctx, jitter(firstWait)); err != nil {
				return err
			}
			continue
		}
		wanted = lease.Address.Addr()
		if err := c.hold(ctx, lease); err != nil {
			return err
		}
	}
}

// takeOver asks to keep an address (INIT-REBOOT, RFC 2131 section 4.3.2).
func (c *Client) takeOver(ctx context.Context, addr netip.Addr) (Lease, error) {
	conv, err := c.Link.Broadcast()
	if err != nil {
		return Lease{}, err
	}
	defer conv.Close()
	req := c.message(dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice())))
	start := time.Now()
	ack, err := c.request(ctx, conv, req, rebootTries)
	if err != nil {
		return Lease{}, err
	}
	return leaseFrom(ack, start)
}

// acquire goes through discover, offer, request, ack.
func (c *Client) acquire(ctx context.Context, wanted netip.Addr) (Lease, error) {
	conv, err := c.Link.Broadcast()
	if err != nil {
		return Lease{}, err
	}
	defer conv.Close()
	offer, err := c.discover(ctx, conv, wanted)
	if err != nil {
		return Lease{}, err
	}
	req := c.message(dhcpv4.MessageTypeRequest,
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
	req.TransactionID = offer.TransactionID
	start := time.Now()
	ack, err := c.request(ctx, conv, req, 3)
	if err != nil {
		return Lease{}, err
	}
	return leaseFrom(ack, start)
}

// discover asks until a server offers an address. An offer of the wanted
// address wins; the appliance's extra offer is told and never taken.
func (c *Client) discover(ctx context.Context, conv Conversation, wanted netip.Addr) (*dhcpv4.DHCPv4, error) {
	msg := c.message(dhcpv4.MessageTypeDiscover)
	if wanted.IsValid() {
		msg.UpdateOption(dhcpv4.OptRequestedIPAddress(wanted.AsSlice()))
	}
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		if err := conv.Send(msg); err != nil {
			return nil, fmt.Errorf("send a DHCP request: %w", err)
		}
		offer, err := c.collect(ctx, conv, msg.TransactionID, wanted, jitter(wait))
		if offer != nil || ctx.Err() != nil {
			return offer, ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("wait for DHCP offers: %w", err)
		}
		c.Tell(Event{State: Asking, Err: errSilence})
	}
}

func (c *Client) collect(ctx context.Context, conv Conversation, xid dhcpv4.TransactionID, wanted netip.Addr, wait time.Duration) (*dhcpv4.DHCPv4, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var best *dhcpv4.DHCPv4
	named := false
	for {
		p, err := conv.Receive(ctx)
		if err != nil {
			return best, err
		}
		if p.OpCode != dhcpv4.OpcodeBootReply || p.TransactionID != xid || p.MessageType() != dhcpv4.MessageTypeOffer {
			continue
		}
		if address, ok := ApplianceAddress(p); ok {
			named = true
			c.Tell(Event{State: Asking, Appliance: address})
		}
		addr, ok := netip.AddrFromSlice(p.YourIPAddr.To4())
		if ok && !addr.IsUnspecified() && p.ServerIdentifier() != nil && (best == nil || addr == wanted) {
			if best == nil {
				var stop context.CancelFunc
				ctx, stop = context.WithTimeout(ctx, offerGrace)
				defer stop() //nolint:gocritic // runs once: best is set here only
			}
			best = p
		}
		if best != nil && named {
			return best, nil
		}
	}
}

// request sends a REQUEST until it is answered, a few times.
func (c *Client) request(ctx context.Context, conv Conversation, msg *dhcpv4.DHCPv4, tries int) (*dhcpv4.DHCPv4, error) {
	wait := firstWait
	for range tries {
		if err := conv.Send(msg); err != nil {
			return nil, fmt.Errorf("send a DHCP request: %w", err)
		}
		p, err := awaitAck(ctx, conv, msg.TransactionID, jitter(wait))
		if err == nil || errors.Is(err, errNak) || ctx.Err() != nil {
			return p, err
		}
		wait *= 2
	}
	return nil, errSilence
}

func awaitAck(ctx context.Context, conv Conversation, xid dhcpv4.TransactionID, wait time.Duration) (*dhcpv4.DHCPv4, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		p, err := conv.Receive(ctx)
		if err != nil {
			return nil, err
		}
		if p.OpCode != dhcpv4.OpcodeBootReply || p.TransactionID != xid {
			continue
		}
		switch p.MessageType() {
		case dhcpv4.MessageTypeAck:
			return p, nil
		case dhcpv4.MessageTypeNak:
			return nil, errNak
		}
	}
}

// message builds a message with what every one of ours carries. The client
// identifier is the loader's (hardware type and address), so that the server
// gives the same address; no host name is sent.
func (c *Client) message(t dhcpv4.MessageType, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	mods := []dhcpv4.Modifier{
		dhcpv4.WithHwAddr(c.MAC),
		dhcpv4.WithMessageType(t),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier(VendorClass)),
		dhcpv4.WithOption(dhcpv4.OptClientIdentifier(append([]byte{1}, c.MAC...))),
		dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(1472)),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
			dhcpv4.OptionDomainName, dhcpv4.OptionVendorSpecificInformation),
	}
	// New fails only when no transaction id can be drawn; crypto/rand does not fail.
	p, err := dhcpv4.New(append(mods, more...)...)
	if err != nil {
		panic(err)
	}
	return p
}

func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
