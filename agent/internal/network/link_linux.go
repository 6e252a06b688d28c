package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// adapterLink is a Link over a real adapter.
type adapterLink struct{ name string }

// Broadcast opens a raw socket: it works before there is an address.
func (l adapterLink) Broadcast() (Conversation, error) {
	conn, err := nclient4.NewRawUDPConn(l.name, nclient4.ClientPort)
	if err != nil {
		return nil, fmt.Errorf("open %s for DHCP: %w", l.name, err)
	}
	return &conversation{conn: conn, to: nclient4.DefaultServers}, nil
}

// Unicast opens an ordinary socket on the leased address.
func (l adapterLink) Unicast(local, server netip.Addr) (Conversation, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, nclient4.ClientPort)))
	if err != nil {
		return nil, fmt.Errorf("open %s for DHCP: %w", local, err)
	}
	return &conversation{conn: conn, to: net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, nclient4.ServerPort))}, nil
}

type conversation struct {
	conn net.PacketConn
	to   *net.UDPAddr
}

func (c *conversation) Send(p *dhcpv4.DHCPv4) error {
	_, err := c.conn.WriteTo(p.ToBytes(), c.to)
	return err
}

// Receive skips what is no DHCP message.
func (c *conversation) Receive(ctx context.Context) (*dhcpv4.DHCPv4, error) {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, nclient4.MaxMessageSize)
	for {
		n, _, err := c.conn.ReadFrom(buf)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if p, err := dhcpv4.FromBytes(buf[:n]); err == nil {
			return p, nil
		}
	}
}

func (c *conversation) Close() error { return c.conn.Close() }
