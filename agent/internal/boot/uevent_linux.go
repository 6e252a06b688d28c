package boot

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Uevents listens to the kernel's device events until ctx ends and calls fn for
// each, in order, on its own goroutine's stack. Lost events (the socket ran
// over) are told by an event with action "lost": the caller looks at everything again.
func Uevents(ctx context.Context, fn func(Uevent)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return fmt.Errorf("listen to device events: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return fmt.Errorf("listen to device events: %w", err)
	}
	// A receive timeout lets the loop see the end of ctx without a second descriptor.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 500_000}); err != nil {
		return fmt.Errorf("listen to device events: %w", err)
	}
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOBUFS):
			fn(Uevent{Action: "lost"})
		case err != nil:
			return fmt.Errorf("read device events: %w", err)
		default:
			if e, ok := ParseUevent(buf[:n]); ok {
				fn(e)
			}
		}
	}
	return ctx.Err()
}
