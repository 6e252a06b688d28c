package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func listenUnix(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for the machine: %w", err)
	}
	return l, nil
}

// lineBuffer is for what a machine says while nobody reads. The kernel doubles it
// (socket(7), SO_SNDBUF), and a character that is sent alone takes 768 bytes of it, so it
// holds some 40,000 characters.
const lineBuffer = 16 << 20

// newLine makes a machine's serial line: the lab's end and the machine's.
//
// EDK2 gives up on a text when its serial port does not take a character within 173 µs
// (TerminalDxe's SerialInTimeOut at 115,200 baud), and QEMU's port takes none while its
// socket is full; with the buffer that sockets have, that is 278 characters after the
// reader was last scheduled. On a busy machine, parts of what the firmware said were lost.
func newLine() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a serial line: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "serial line"), os.NewFile(uintptr(fds[1]), "serial port")
	defer ours.Close() // net has a copy
	if err := unix.SetsockoptInt(fds[1], unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, lineBuffer); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a serial line: %w", err), theirs.Close())
	}
	line, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a serial line: %w", err), theirs.Close())
	}
	return line, theirs, nil
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
