package state

import (
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Stream connects the members of a cluster: a listener and a way to dial the
// others. Mutual TLS is the stream's business.
type Stream interface {
	net.Listener
	Dial(address string, timeout time.Duration) (net.Conn, error)
}

// inProcess is the address of a member without a network transport.
const inProcess raft.ServerAddress = "in-process"

// transport is what the store needs of raft's transports.
type transport interface {
	raft.Transport
	raft.WithClose
}

// newTransport makes the in-process transport of a single member, or one over s.
func newTransport(s Stream, log hclog.Logger) transport {
	if s == nil {
		_, t := raft.NewInmemTransport(inProcess)
		return t
	}
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: streamLayer{s}, MaxPool: 3, Timeout: 5 * time.Second, Logger: log,
	})
}

// streamLayer gives a Stream the types of raft.
type streamLayer struct{ Stream }

func (l streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return l.Stream.Dial(string(address), timeout)
}

// timing are raft's timeouts. A single member in its own process waits for nobody:
// it is leader within a tenth of a second.
func timing(c *raft.Config, network bool) {
	if network {
		c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = time.Second, time.Second, 500*time.Millisecond
		return
	}
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 40*time.Millisecond, 40*time.Millisecond, 40*time.Millisecond
	c.CommitTimeout = 50 * time.Millisecond
}
