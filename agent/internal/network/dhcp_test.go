package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// server is a DHCP server on the far end of a fake link. Its fields may be
// changed between the client's messages.
type server struct {
	mu       sync.Mutex
	address  net.IP
	life     uint32
	silent   bool // answers nothing
	refuse   bool // NAKs requests
	known    bool // knows the client, so that it can keep its address
	proxy    string
	seen     []string // how each message came and what it was
	last     *dhcpv4.DHCPv4
	messages int
}

// set changes the server while a client runs.
func (s *server) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func newServer() *server { return &server{address: net.IPv4(192, 0, 2, 50), life: 600} }

var serverID = net.IPv4(192, 0, 2, 1)

type pipe struct {
	s       *server
	unicast bool
	in      chan *dhcpv4.DHCPv4
}

func (s *server) Broadcast() (Conversation, error) {
	return &pipe{s: s, in: make(chan *dhcpv4.DHCPv4, 8)}, nil
}

func (s *server) Unicast(local, to netip.Addr) (Conversation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to != netip.MustParseAddr("192.0.2.1") || local.String() != s.address.String() {
		return nil, errors.New("wrong addresses")
	}
	return &pipe{s: s, unicast: true, in: make(chan *dhcpv4.DHCPv4, 8)}, nil
}

func (p *pipe) Close() error { return nil }

func (p *pipe) Receive(ctx context.Context) (*dhcpv4.DHCPv4, error) {
	select {
	case m := <-p.in:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Send(m *dhcpv4.DHCPv4) error {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = m
	s.messages++
	kind := "discover"
	if m.MessageType() == dhcpv4.MessageTypeRequest {
		switch {
		case p.unicast:
			kind = "renew"
		case !m.ClientIPAddr.IsUnspecified():
			kind = "rebind"
		case m.ServerIdentifier() == nil:
			kind = "reboot"
		default:
			kind = "request"
		}
	}
	s.seen = append(s.seen, kind)
	if kind == "discover" && s.proxy != "" {
		p.in <- reply(m, dhcpv4.MessageTypeOffer, dhcpv4.WithOption(dhcpv4.OptClassIdentifier(VendorClass)),
			dhcpv4.WithGeneric(dhcpv4.OptionVendorSpecificInformation, append([]byte{1, byte(len(s.proxy))}, s.proxy...)))
	}
	if s.silent || kind == "reboot" && !s.known && !s.refuse {
		return nil
	}
	lease := []dhcpv4.Modifier{dhcpv4.WithYourIP(s.address), seconds(dhcpv4.OptionIPAddressLeaseTime, s.life),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverID)), dhcpv4.WithNetmask(net.CIDRMask(24, 32))}
	switch {
	case kind == "discover":
		p.in <- reply(m, dhcpv4.MessageTypeOffer, lease...)
	case s.refuse:
		p.in <- reply(m, dhcpv4.MessageTypeNak)
	default:
		stray := reply(m, dhcpv4.MessageTypeAck, dhcpv4.WithYourIP(net.IPv4(203, 0, 113, 9)))
		stray.TransactionID[0] ^= 1 // somebody else's
		p.in <- stray
		p.in <- reply(m, dhcpv4.MessageTypeAck, lease...)
	}
	return nil
}

func reply(m *dhcpv4.DHCPv4, t dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	p, err := dhcpv4.NewReplyFromRequest(m, append([]dhcpv4.Modifier{dhcpv4.WithMessageType(t)}, mods...)...)
	if err != nil {
		panic(err)
	}
	return p
}

// run plays a client for d of fake time and returns what it told.
func run(t *testing.T, s *server, requested string, d time.Duration, during func(sleep func(time.Duration))) []Event {
	t.Helper()
	var events []Event
	synctest.Test(t, func(t *testing.T) {
		c := &Client{MAC: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}, Link: s, Tell: func(e Event) { events = append(events, e) }}
		if requested != "" {
			c.Requested = netip.MustParseAddr(requested)
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := c.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("ended with %v", err)
			}
		}()
		if during != nil {
			during(time.Sleep)
		}
		<-done
	})
	return events
}

func last(events []Event) Event {
	if len(events) == 0 {
		return Event{State: -1}
	}
	return events[len(events)-1]
}

func TestLeaseTakenOverFromTheLoader(t *testing.T) {
	s := newServer()
	s.known = true
	events := run(t, s, "192.0.2.50", time.Minute, nil)
	if e := last(events); e.State != Leased || e.Lease.Address.String() != "192.0.2.50/24" {
		t.Errorf("got %+v", e)
	}
	if !slices.Equal(s.seen, []string{"reboot"}) {
		t.Errorf("messages: %v", s.seen)
	}
	if got := s.last.RequestedIPAddress().String(); got != "192.0.2.50" {
		t.Errorf("asked for %s", got)
	}
	id := s.last.Options.Get(dhcpv4.OptionClientIdentifier)
	if string(id) != "\x01\x52\x54\x00\x12\x34\x56" || s.last.ClassIdentifier() != VendorClass || s.last.HostName() != "" {
		t.Errorf("identifier %x, class %q, name %q", id, s.last.ClassIdentifier(), s.last.HostName())
	}
}

func TestLoadersLeaseUnknownOrRefused(t *testing.T) {
	s := newServer() // a server that does not know the address keeps silent
	run(t, s, "192.0.2.99", time.Minute, nil)
	if want := []string{"reboot", "reboot", "discover", "request"}; !slices.Equal(s.seen, want) {
		t.Errorf("messages: %v", s.seen)
	}
	s = newServer()
	s.refuse = true
	events := run(t, s, "192.0.2.99", 20*time.Second, func(sleep func(time.Duration)) { sleep(100 * time.Millisecond); s.set(func() { s.refuse = false }) })
	if s.seen[0] != "reboot" || s.seen[1] != "discover" || last(events).State != Leased {
		t.Errorf("messages: %v, %+v", s.seen, last(events))
	}
}

func TestApplianceIsLearnedFromItsOffer(t *testing.T) {
	s := newServer()
	s.proxy = "192.0.2.7:8443"
	events := run(t, s, "", time.Minute, nil)
	if !slices.ContainsFunc(events, func(e Event) bool { return e.Appliance == "192.0.2.7:8443" }) || last(events).State != Leased {
		t.Errorf("got %+v", events)
	}
	if got := last(events).Lease.Address.Addr().String(); got != "192.0.2.50" {
		t.Errorf("the extra offer became the lease: %s", got)
	}
}

func TestThreeHoursOnShortLeasesKeepTheAddress(t *testing.T) {
	s := newServer()
	s.life = 120
	events := run(t, s, "", 3*time.Hour, nil)
	for _, e := range events {
		if e.State != Leased || e.Lease.Address.Addr().String() != "192.0.2.50" {
			t.Fatalf("lost its address: %+v", e)
		}
	}
	renewals := 0
	for _, kind := range s.seen {
		if kind == "renew" {
			renewals++
		}
	}
	if renewals < 170 || renewals > 185 {
		t.Errorf("%d renewals in three hours of two-minute leases", renewals)
	}
	if s.last.RequestedIPAddress() != nil || s.last.ServerIdentifier() != nil || s.last.ClientIPAddr.String() != "192.0.2.50" {
		t.Errorf("a renewal carries what RFC 2131 table 5 forbids: %v", s.last.Summary())
	}
}

func TestServerGoneAndBack(t *testing.T) {
	s := newServer()
	events := run(t, s, "", 700*time.Second, func(sleep func(time.Duration)) {
		sleep(10 * time.Second)
		s.set(func() { s.silent = true })
		sleep(550 * time.Second) // past T1 (300 s) and T2 (525 s), before the end (600 s)
		s.set(func() { s.silent = false })
	})
	states := []State{}
	for _, e := range events {
		states = append(states, e.State)
	}
	if want := []State{Leased, Renewing, Leased}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if !slices.Contains(s.seen, "renew") || !slices.Contains(s.seen, "rebind") {
		t.Errorf("messages: %v", s.seen)
	}
	if s.messages > 40 {
		t.Errorf("%d messages: that is a flood", s.messages)
	}
}

func TestLeaseRunsOutThenIsAskedForAgain(t *testing.T) {
	s := newServer()
	s.life = 60
	events := run(t, s, "", 300*time.Second, func(sleep func(time.Duration)) {
		sleep(10 * time.Second)
		s.set(func() { s.silent = true })
		sleep(100 * time.Second)
		s.set(func() { s.silent = false })
	})
	lost := slices.IndexFunc(events, func(e Event) bool { return errors.Is(e.Err, errExpired) })
	if lost < 0 || last(events).State != Leased {
		t.Fatalf("got %+v", events)
	}
	if events[lost].State != Asking {
		t.Errorf("the address is kept after its end: %+v", events[lost])
	}
}

func TestRenewalRefused(t *testing.T) {
	s := newServer()
	s.life = 60
	events := run(t, s, "", 50*time.Second, func(sleep func(time.Duration)) {
		sleep(10 * time.Second)
		s.set(func() { s.refuse = true })
		sleep(20*time.Second + 500*time.Millisecond) // T1 is 30 s after the request, which waited for offers
		s.set(func() { s.refuse, s.address = false, net.IPv4(192, 0, 2, 77) })
	})
	if e := last(events); e.State != Leased || e.Lease.Address.Addr().String() != "192.0.2.77" {
		t.Errorf("got %+v", e)
	}
}

func TestNobodyAnswers(t *testing.T) {
	s := newServer()
	s.silent = true
	events := run(t, s, "", 5*time.Minute, nil)
	if !errors.Is(last(events).Err, errSilence) {
		t.Errorf("got %+v", last(events))
	}
	if s.messages < 15 || s.messages > 40 {
		t.Errorf("%d messages in five minutes", s.messages)
	}
}
