package netboot

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
)

// maxTransferSockets bounds how many goroutines read acknowledgements.
const maxTransferSockets = 4

// transferSockets are the sockets that files are sent from: one for a processor,
// each with its own reader. Their ports are the transfer identifiers (RFC 1350,
// section 4). A client stays with the socket that answered it.
type transferSockets struct {
	list []*udpSocket
	turn atomic.Uint32
}

func listenTransfers(ctx context.Context) (*transferSockets, error) {
	s := &transferSockets{}
	for range min(runtime.GOMAXPROCS(0), maxTransferSockets) {
		sock, err := listenUDP(ctx, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), false)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.list = append(s.list, sock)
		if err := sock.hearRefusals(); err != nil {
			return nil, errors.Join(fmt.Errorf("hear of clients that are gone: %w", err), s.Close())
		}
	}
	return s, nil
}

// pick gives a socket to a new client.
func (s *transferSockets) pick() *udpSocket {
	return s.list[int(s.turn.Add(1))%len(s.list)]
}

// Close closes all.
func (s *transferSockets) Close() error {
	var errs []error
	for _, sock := range s.list {
		errs = append(errs, sock.Close())
	}
	return errors.Join(errs...)
}
