package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/network"
	"slipway/agent/internal/screen"
	"slipway/agent/wire"
)

// defaultPort is the appliance's HTTPS port when an address names none.
const defaultPort = "8443"

const (
	retryEvery = 15 * time.Second
	clockSlack = 5 * time.Second // a clock that is off by less is left alone
)

// candidate is an address that may be the appliance's, and who says so.
type candidate struct{ address, from string }

// candidates lists where the appliance may be, in the order of trust in being
// up to date: what the technician typed, the boot loader's word, DHCP, the image.
func (s *Session) candidates() []candidate {
	var list []candidate
	add := func(address, from string) {
		if address = withPort(address); address == "" {
			return
		}
		for _, c := range list {
			if c.address == address {
				return
			}
		}
		list = append(list, candidate{address, from})
	}
	add(s.typed, "typed")
	add(s.Args.Server, "boot loader")
	origin := "boot image"
	if s.environment() == wire.FullOS {
		origin = "configuration"
	}
	for _, a := range s.Network.Adapters() {
		add(a.Appliance, "DHCP")
	}
	for _, server := range s.Image.Servers {
		add(server, origin)
	}
	return list
}

// withPort adds the default port. It returns nothing for what cannot be an address.
func withPort(address string) string {
	address = strings.TrimSpace(address)
	address = strings.TrimSuffix(strings.TrimPrefix(address, "https://"), "/")
	if address == "" || strings.ContainsAny(address, " /\\@?#") {
		return ""
	}
	if host, port, err := net.SplitHostPort(address); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 || host == "" {
			return ""
		}
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), defaultPort)
}

// connect finds the appliance: it waits for the network, tries every candidate,
// sets the clock, and says on the screen what was tried when none answers.
func (s *Session) connect(ctx context.Context) (*client.Client, error) {
	for {
		if err := s.online(ctx); err != nil {
			return nil, err
		}
		s.recover(ctx)
		n := screen.NewNotice("Starting", "Looking for the appliance", screen.Calm)
		n.Next = "Connecting"
		for _, c := range s.candidates() {
			n.List = append(n.List, fmt.Sprintf("%s (%s)", c.address, c.from))
		}
		s.Display.Show(n)
		c, tried, wrong, err := s.tryAll(ctx)
		if c != nil {
			s.Display.SetFacts(func(f *screen.Facts) { f.Appliance = c.Address() })
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if s.Unattended && (wrong || errors.Is(err, ErrClock)) {
			return nil, err
		}
		if err := s.noAnswer(ctx, tried, wrong); err != nil {
			return nil, err
		}
	}
}

// tryAll tries the candidates in their order. wrong says that one answered
// which is not this image's appliance; err is the last failure.
func (s *Session) tryAll(ctx context.Context) (_ *client.Client, tried []string, wrong bool, err error) {
	for _, cand := range s.candidates() {
		var c *client.Client
		if c, err = s.try(ctx, cand.address); err == nil {
			s.Log.Info("appliance found", "address", cand.address, "by", cand.from)
			return c, nil, false, nil
		}
		if ctx.Err() != nil {
			return nil, nil, false, ctx.Err()
		}
		s.Log.Warn("no answer from the appliance", "address", cand.address, "by", cand.from, "error", err)
		tried = append(tried, fmt.Sprintf("%s (%s): %s", cand.address, cand.from, client.Explain(err)))
		wrong = wrong || client.NotOurs(err)
	}
	return nil, tried, wrong, err
}

// try makes the first contact, sets the clock by it and asks again with all
// checks on.
func (s *Session) try(ctx context.Context, address string) (*client.Client, error) {
	o := client.Options{Address: address, Installation: s.Image.Installation, Roots: s.Image.Pool(),
		Agent: s.Version, Image: s.Image.ID, Now: s.Now}
	asked := s.Now()
	date, err := client.FirstContact(ctx, o)
	if err != nil {
		return nil, err
	}
	if off := date.Sub(asked); off.Abs() > clockSlack {
		s.Log.Info("the clock differs from the appliance's", "was", asked.UTC(), "is", date.UTC())
		if err := s.SetClock(date); err != nil {
			s.Log.Warn("clock not set", "error", err)
		}
	}
	o.Identity = s.Identity
	c := client.New(o)
	if err := c.Healthy(ctx); err != nil {
		c.Close()
		if now := s.Now(); client.OutOfTime(err) && date.Sub(now).Abs() > clockSlack {
			return nil, fmt.Errorf("%w: it says %s, the appliance says %s, and by this clock the appliance's certificate is not valid",
				ErrClock, now.UTC().Format(time.DateTime), date.UTC().Format(time.DateTime))
		}
		return nil, err
	}
	return c, nil
}

// noAnswer shows what was tried and waits for the next try.
func (s *Session) noAnswer(ctx context.Context, tried []string, wrong bool) error {
	n := screen.NewNotice("Appliance", "No answer from the appliance", screen.Trouble)
	n.Text = "It was looked for here:"
	if wrong {
		n.Headline = "This is not the appliance that this boot image belongs to"
		n.Text = "No answer from the appliance that built this boot image: what answers here shows a certificate that this image " +
			"does not trust. Nothing was sent to it. Build the boot image again on the appliance that shall be used, " +
			"or start from the right network."
		if s.environment() == wire.FullOS {
			n.Headline = "This is not the appliance of the configuration"
			n.Text = "What answers here shows a certificate that the CA in the configuration does not trust. Nothing was sent to it. " +
				"Print the configuration again on the appliance: slipway agent-config."
		}
	}
	if len(tried) == 0 {
		n.Text = "Neither the boot loader, nor DHCP, nor this boot image names an appliance. Its address can be typed (F6)."
	}
	n.List = tried
	n.Next, n.Until = "Trying again", s.Now().Add(retryEvery)
	n.Actions = []screen.Action{screen.ActionRetry(), screen.ActionAddress()}
	s.Display.Show(n)
	before := s.candidates()
	over := time.NewTimer(retryEvery)
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case choice := <-n.Chosen():
			if choice == "address" {
				return s.askAddress(ctx)
			}
			return nil
		case <-s.Changed: // a new lease or a new offer may name another address
			adapters := s.Network.Adapters()
			s.showAdapter(adapters)
			if len(s.candidates()) != len(before) || (len(adapters) > 0 && adapters[0].State < network.Leased) {
				return nil
			}
		}
	}
}

var errAddress = errors.New("this is not an address, such as 192.0.2.10 or slipway.example.org:8443")

// askAddress lets the technician type the appliance's address.
func (s *Session) askAddress(ctx context.Context) error {
	page := screen.NewAddress(s.typed)
	s.Display.Show(page)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text := <-page.Answers():
			if text == "" {
				return nil
			}
			if withPort(text) == "" {
				s.Display.Update(func() { page.Refuse(errAddress.Error()) })
				continue
			}
			s.typed = strings.TrimSpace(text)
			s.keep("address", s.typed)
			return nil
		}
	}
}
