package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// Forward carries connections from a loopback port of the host to an address on
// the segment, so that a browser reaches the console. It returns the address it
// listens on: the wanted one, or another port when that one is taken.
func (n *Network) Forward(listen, to string) (string, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				if errors.Is(err, net.ErrClosed) {
					return
				}
				continue
			}
			all.Go(func() { n.carry(ctx, conn, to) })
		}
	})
	n.run.OnClose(func() error {
		cancel()
		err := l.Close()
		all.Wait()
		return err
	})
	return l.Addr().String(), nil
}

// carry copies both ways until one side ends or ctx does.
func (n *Network) carry(ctx context.Context, near net.Conn, to string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	far, err := n.Bridge.Dial(ctx, "tcp", to)
	if err != nil {
		near.Close()
		return
	}
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			defer cancel()
			_, _ = io.Copy(pair[0], pair[1])
		})
	}
	<-ctx.Done()
	near.Close()
	far.Close()
	both.Wait()
}
