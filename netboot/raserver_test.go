package netboot

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// neighbour is an ordinary Linux host at the far end of a cable, in a namespace of
// its own.
type neighbour struct {
	t    *testing.T
	jobs chan func()
	mac  net.HardwareAddr
	link netlink.Link
}

// newNeighbour makes the cable. The near end is "lan".
func newNeighbour(t *testing.T) *neighbour {
	t.Helper()
	n := &neighbour{t: t, jobs: make(chan func())}
	tid := make(chan int)
	go func() { // the thread ends with the goroutine: it is never unlocked
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		tid <- unix.Gettid()
		for f := range n.jobs {
			f()
		}
	}()
	t.Cleanup(func() { close(n.jobs) })
	ns, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", <-tid))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lan"}, PeerName: "host",
		PeerNamespace: netlink.NsFd(int(ns.Fd()))}))
	lan, err := netlink.LinkByName("lan")
	must(err)
	must(quickIPv6("lan"))
	must(netlink.LinkSetUp(lan))
	must(n.do(func() (err error) {
		if n.link, err = netlink.LinkByName("host"); err != nil {
			return err
		}
		n.mac = n.link.Attrs().HardwareAddr
		if err := quickIPv6("host"); err != nil {
			return err
		}
		return netlink.LinkSetUp(n.link)
	}))
	hasAddress := func(l netlink.Link) bool {
		list, err := netlink.AddrList(l, unix.AF_INET6)
		return err == nil && len(list) > 0
	}
	eventually(t, "link-local addresses", func() bool {
		var far bool
		must(n.do(func() error { far = hasAddress(n.link); return nil }))
		return far && hasAddress(lan)
	})
	return n
}

// quickIPv6 leaves out duplicate address detection, and sees to what Linux does by default.
func quickIPv6(name string) error {
	for key, value := range map[string]string{"accept_dad": "0", "accept_ra": "1", "forwarding": "0", "router_solicitation_interval": "1", "router_solicitation_delay": "0"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/"+key, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

// do runs f on the host.
func (n *neighbour) do(f func() error) error {
	done := make(chan error)
	n.jobs <- func() { done <- f() }
	return <-done
}

// gained lists IPv6 default routes and addresses of the host beyond the link's own.
func (n *neighbour) gained() (out []string) {
	n.t.Helper()
	err := n.do(func() error {
		routes, err := netlink.RouteList(n.link, unix.AF_INET6)
		if err != nil {
			return err
		}
		for _, r := range routes {
			if r.Dst == nil || !r.Dst.IP.IsLinkLocalUnicast() && !r.Dst.IP.IsMulticast() {
				out = append(out, r.String())
			}
		}
		addrs, err := netlink.AddrList(n.link, unix.AF_INET6)
		for _, a := range addrs {
			if !a.IP.IsLinkLocalUnicast() {
				out = append(out, a.String())
			}
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// multicast sends an ICMPv6 message from the host to all on the link.
func (n *neighbour) multicast(to net.IPAddr, message []byte) error {
	return n.do(func() error {
		raw, err := net.ListenPacket("ip6:ipv6-icmp", "::")
		if err != nil {
			return err
		}
		defer raw.Close()
		_, err = ipv6.NewPacketConn(raw).WriteTo(message, &ipv6.ControlMessage{HopLimit: 255, IfIndex: n.link.Attrs().Index}, &to)
		return err
	})
}

// realAdvertisement is one that hosts do act upon: a default route and a prefix.
func realAdvertisement() []byte {
	m := inertAdvertisement()
	m[6] = 60 // router lifetime, high byte of seconds
	p := make([]byte, 32)
	p[0], p[1], p[2], p[3] = 3, 4, 64, 0xc0 // prefix information, on-link, autonomous (RFC 4861, 4.6.2)
	p[6], p[10] = 1, 1                      // lifetimes
	prefix := netip.MustParseAddr("2001:db8:77::").As16()
	copy(p[16:], prefix[:])
	return append(m, p...)
}

// startRA runs the answerer in this namespace, with short times.
func startRA(t *testing.T, settle time.Duration) (*raServer, *Counters) {
	t.Helper()
	var count Counters
	cfg := Config{RA: RAConfig{Answer: true, times: raTimes{settle: settle, ask: 100 * time.Millisecond, gone: 2 * time.Second, fresh: time.Minute, again: time.Millisecond}}}.withDefaults()
	in := &interfaces{names: []string{"lan"}, list: systemInterfaces, now: time.Now}
	s, err := listenRA(t.Context(), &cfg, in, newBootingMachines(time.Now, time.Minute), &count)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, &count
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("waited in vain: " + what)
}

// solicit asks for a router, and waits until that was dealt with.
func (n *neighbour) solicit(count *Counters) {
	n.t.Helper()
	before := count.raIgnored.Load() + count.raAnswered.Load()
	if err := n.multicast(allRouters, routerSolicitation(n.mac)); err != nil {
		n.t.Fatal(err)
	}
	eventually(n.t, "the solicitation", func() bool { return count.raIgnored.Load()+count.raAnswered.Load() > before })
}

func TestAnswerGivesAHostNothing(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := newNeighbour(t)
	s, count := startRA(t, 0)
	eventually(t, "the link", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.links) == 1 })

	n.solicit(count)
	if got := count.raAnswered.Load(); got != 0 {
		t.Fatalf("%d answers to a machine that is not booting", got)
	}
	s.booting.note(n.mac)
	eventually(t, "an answer", func() bool { n.solicit(count); return count.raAnswered.Load() > 0 })
	eventually(t, "the answer to arrive", func() bool { return n.advertisements() > 0 })
	if got := n.gained(); len(got) > 0 {
		t.Errorf("the host gained %v", got)
	}

	// The same host does take what a router says: the look above would have seen it.
	if err := s.send(realAdvertisement(), allNodes.IP, linkIndex(t, "lan")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a router's route and address", func() bool { return len(n.gained()) >= 2 })
}

func TestAnotherRouterIsLeftAlone(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := newNeighbour(t)
	s, count := startRA(t, 0)
	s.booting.note(n.mac)
	eventually(t, "an answer", func() bool { n.solicit(count); return count.raAnswered.Load() > 0 })
	var before int64
	for {
		seen, told := count.raForeign.Load(), time.Now()
		if err := n.multicast(allNodes, realAdvertisement()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the router", func() bool { return count.raForeign.Load() > seen })
		before = count.raAnswered.Load()
		n.solicit(count)
		if count.raAnswered.Load() == before {
			break
		}
		if time.Since(told) < s.times.gone {
			t.Fatal("answered beside another router")
		} // else it was gone already: once more
	}
	eventually(t, "an answer after the router has gone", func() bool { n.solicit(count); return count.raAnswered.Load() > before })
}

func TestALinkIsListenedToFirst(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := newNeighbour(t)
	s, count := startRA(t, time.Hour)
	s.booting.note(n.mac)
	eventually(t, "our own solicitation", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		l := s.links[linkIndex(t, "lan")]
		return l != nil && !l.since.IsZero()
	})
	n.solicit(count)
	if got := count.raAnswered.Load(); got != 0 {
		t.Errorf("%d answers before the link was listened to", got)
	}
}

// advertisements is how many router advertisements the host's kernel has taken in.
func (n *neighbour) advertisements() (total int) {
	n.t.Helper()
	err := n.do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/snmp6")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			var name string
			var value int
			if _, err := fmt.Sscan(line, &name, &value); err == nil && name == "Icmp6InRouterAdvertisements" {
				total = value
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return total
}

func linkIndex(t *testing.T, name string) int {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l.Attrs().Index
}
