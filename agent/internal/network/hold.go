package network

import (
	"context"
	"errors"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// hold keeps a lease: it renews at T1 with the server that gave it, from T2 on
// with any server, and returns nil when the lease ran out or was taken away.
// Only the end of ctx is an error.
func (c *Client) hold(ctx context.Context, lease Lease) error {
	c.Tell(Event{State: Leased, Lease: lease})
	for {
		if lease.Renew == forever {
			<-ctx.Done()
			return ctx.Err()
		}
		if err := sleep(ctx, time.Until(lease.Start.Add(lease.Renew))); err != nil {
			return err
		}
		next, err := c.extend(ctx, lease)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.Tell(Event{State: Asking, Err: err})
			return nil
		}
		lease = next
		c.Tell(Event{State: Leased, Lease: lease})
	}
}

var errExpired = errors.New("the lease ran out: no DHCP server renewed it")

// extend tries to renew until the lease ends. Between tries it waits half of
// what is left of the phase (RFC 2131 section 4.4.5), so short leases work too.
func (c *Client) extend(ctx context.Context, lease Lease) (Lease, error) {
	rebind, expiry := lease.Start.Add(lease.Rebind), lease.Start.Add(lease.Expiry)
	for tries := 0; ; tries++ {
		now := time.Now()
		if !now.Before(expiry) {
			return Lease{}, errExpired
		}
		if tries == 1 {
			c.Tell(Event{State: Renewing, Lease: lease, Err: errSilence})
		}
		phase := rebind
		if !now.Before(rebind) {
			phase = expiry
		}
		wait := max(phase.Sub(now)/2, time.Second)
		next, err := c.renewOnce(ctx, lease, phase == expiry, min(wait, expiry.Sub(now)))
		if err == nil || errors.Is(err, errNak) || ctx.Err() != nil {
			return next, err
		}
	}
}

// renewOnce sends one REQUEST and waits for its answer for the whole of wait,
// also when it could not be sent: that is the pause until the next try.
func (c *Client) renewOnce(ctx context.Context, lease Lease, broadcast bool, wait time.Duration) (Lease, error) {
	started := time.Now()
	next, err := c.renewBy(ctx, lease, broadcast, wait)
	if err != nil && !errors.Is(err, errNak) {
		if left := wait - time.Since(started); left > 0 {
			_ = sleep(ctx, left)
		}
	}
	return next, err
}

func (c *Client) renewBy(ctx context.Context, lease Lease, broadcast bool, wait time.Duration) (Lease, error) {
	open := func() (Conversation, error) { return c.Link.Unicast(lease.Address.Addr(), lease.Server) }
	if broadcast || !lease.Server.IsValid() {
		open = c.Link.Broadcast
	}
	conv, err := open()
	if err != nil {
		return Lease{}, err
	}
	defer conv.Close()
	start := time.Now()
	msg := c.message(dhcpv4.MessageTypeRequest, dhcpv4.WithClientIP(lease.Address.Addr().AsSlice()))
	if err := conv.Send(msg); err != nil {
		return Lease{}, err
	}
	ack, err := awaitAck(ctx, conv, msg.TransactionID, wait)
	if err != nil {
		return Lease{}, err
	}
	next, err := leaseFrom(ack, start)
	if err == nil && !next.Server.IsValid() {
		next.Server = lease.Server
	}
	return next, err
}
