package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace of the run. It has a loopback and whatever
// links it was given; it never has a way out.
type Namespace struct {
	Name string
}

// Namespace makes a network namespace.
func (r *Run) Namespace(suffix string) (*Namespace, error) {
	ns := &Namespace{Name: r.Name + "-" + suffix}
	err := r.make(func() error { return command("ip", "netns", "add", ns.Name) }, func() error {
		killInside(ns.Name)
		return command("ip", "netns", "del", ns.Name)
	})
	if err != nil {
		return nil, err
	}
	return ns, ns.IP("link", "set", "lo", "up")
}

// IP runs ip(8) inside the namespace.
func (n *Namespace) IP(args ...string) error {
	return command("ip", append([]string{"-n", n.Name}, args...)...)
}

// Do calls f on a thread that is in the namespace. f must not start processes:
// the thread ends with the call.
func (n *Namespace) Do(f func() error) error {
	result := make(chan error, 1)
	go onOtherThread(func() { result <- n.inside(f) })
	return <-result
}

// onOtherThread calls f on a thread that is not the process's main one. That one
// cannot be thrown away, and where it is, the whole process is taken to be.
func onOtherThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() { // on another thread: this one is taken
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

// inside moves the thread into the namespace and calls f. The goroutine's thread
// is never unlocked: it is thrown away instead of carrying the namespace on to
// other goroutines.
func (n *Namespace) inside(f func() error) error {
	h, err := os.Open("/run/netns/" + n.Name)
	if err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	defer h.Close()
	if err := unix.Setns(int(h.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", n.Name, err)
	}
	return f()
}

// Dial connects from inside the namespace. The address must be numeric: the
// resolver would look from elsewhere.
func (n *Namespace) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.Do(func() error {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens on a TCP address inside the namespace.
func (n *Namespace) Listen(ctx context.Context, address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		var c net.ListenConfig
		l, err = c.Listen(ctx, "tcp", address)
		return err
	})
	return l, err
}

// Transport returns an HTTP transport that speaks from inside the namespace.
func (n *Namespace) Transport() *http.Transport {
	return &http.Transport{DialContext: n.Dial, ForceAttemptHTTP2: true}
}
