package lab

import (
	"context"
	"fmt"
	"net"
	"time"
)

func listenUnix(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for the machine: %w", err)
	}
	return l, nil
}

// accept waits for QEMU to connect, and says why when it ended instead.
func (m *Machine) accept(ctx context.Context, l *net.UnixListener) (net.Conn, error) {
	deadline := time.Now().Add(Timeout(15 * time.Second))
	for {
		if err := m.QEMU.Err(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		_ = l.SetDeadline(time.Now().Add(200 * time.Millisecond))
		conn, err := l.Accept()
		if err == nil {
			return conn, nil
		}
		if ne, ok := err.(net.Error); !ok || !ne.Timeout() || time.Now().After(deadline) {
			return nil, fmt.Errorf("waiting for QEMU: %w", err)
		}
	}
}
