package netboot

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"
)

var (
	raMAC  = net.HardwareAddr{0x52, 0x54, 0, 0x77, 0, 1}
	raFrom = netip.MustParseAddr("fe80::5054:ff:fe77:1")
)

func TestParseNeighbor(t *testing.T) {
	bare := []byte{133, 0, 0, 0, 0, 0, 0, 0}
	other := netip.MustParseAddr("fe80::1")
	with := func(tail ...byte) []byte { return append(bytes.Clone(bare), tail...) }
	for _, c := range []struct {
		name     string
		message  []byte
		from     netip.Addr
		hopLimit int
		ok, ra   bool
		mac      net.HardwareAddr
	}{
		{"iPXE's", routerSolicitation(raMAC), raFrom, 255, true, false, raMAC},
		{"no option, address made of the MAC", bare, raFrom, 255, true, false, raMAC},
		{"no option, other address", bare, other, 255, true, false, nil},
		{"option before address", routerSolicitation(net.HardwareAddr{1, 2, 3, 4, 5, 6}), raFrom, 255, true, false, net.HardwareAddr{1, 2, 3, 4, 5, 6}},
		{"unknown option", with(99, 1, 0, 0, 0, 0, 0, 0), raFrom, 255, true, false, raMAC},
		{"zone", bare, raFrom.WithZone("eth0"), 255, true, false, raMAC},
		{"our answer", inertAdvertisement(), other, 255, true, true, nil},
		{"from behind a router", bare, raFrom, 254, false, false, nil},
		{"unspecified", bare, netip.IPv6Unspecified(), 255, false, false, nil},
		{"global", bare, netip.MustParseAddr("2001:db8::1"), 255, false, false, nil},
		{"no address", bare, netip.Addr{}, 255, false, false, nil},
		{"IPv4", bare, netip.MustParseAddr("169.254.0.1"), 255, false, false, nil},
		{"code", []byte{133, 1, 0, 0, 0, 0, 0, 0}, raFrom, 255, false, false, nil},
		{"short", bare[:7], raFrom, 255, false, false, nil},
		{"short advertisement", inertAdvertisement()[:15], raFrom, 255, false, false, nil},
		{"option of no length", with(1, 0, 0, 0, 0, 0, 0, 0), raFrom, 255, false, false, nil},
		{"option too long", with(1, 2, 0, 0, 0, 0, 0, 0), raFrom, 255, false, false, nil},
		{"half an option", with(1, 1, 0), raFrom, 255, false, false, nil},
		{"neighbor solicitation", []byte{135, 0, 0, 0, 0, 0, 0, 0}, raFrom, 255, false, false, nil},
	} {
		m, err := parseNeighbor(c.message, c.from, c.hopLimit)
		if (err == nil) != c.ok || c.ok && (m.advertisement != c.ra || !bytes.Equal(m.mac, c.mac)) {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
	}
}

// What hosts act upon (RFC 4861, 6.3.4) must all be absent.
func TestTheAnswerSaysNothing(t *testing.T) {
	if got, want := inertAdvertisement(), append([]byte{134}, make([]byte, 15)...); !bytes.Equal(got, want) {
		t.Errorf("the advertisement is % x", got)
	}
}

func FuzzParseNeighbor(f *testing.F) {
	from := raFrom.As16()
	f.Add(routerSolicitation(raMAC), from[:], 255)
	f.Add(inertAdvertisement(), from[:], 255)
	f.Add([]byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 0}, from[:], 255)
	f.Fuzz(func(t *testing.T, message, address []byte, hopLimit int) {
		a, _ := netip.AddrFromSlice(address)
		m, err := parseNeighbor(message, a, hopLimit)
		if err == nil && (!m.from.IsLinkLocalUnicast() || m.from.Zone() != "" || len(m.mac) != 0 && len(m.mac) != 6) {
			t.Errorf("%+v of % x", m, message)
		}
	})
}

func TestLinkIsSilent(t *testing.T) {
	times := defaultRATimes()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name string
		link raLink
		want bool
	}{
		{"never asked", raLink{}, false},
		{"still listening", raLink{since: ago(3 * time.Second)}, false},
		{"nobody", raLink{since: ago(4 * time.Second)}, true},
		{"a router", raLink{since: ago(time.Hour), foreign: ago(time.Minute)}, false},
		{"a router that went away", raLink{since: ago(time.Hour), foreign: ago(5 * time.Minute)}, true},
	} {
		if got := c.link.silent(now, times); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestBootingMachinesAreForgotten(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newBootingMachines(func() time.Time { return now }, time.Minute)
	if b.recent(raMAC) || b.recent(nil) {
		t.Error("nobody was noted")
	}
	b.note(raMAC)
	b.note(nil)
	(*bootingMachines)(nil).note(raMAC)
	if !b.recent(raMAC) || b.recent(net.HardwareAddr{1, 2, 3, 4, 5, 6}) {
		t.Error("the noted machine and no other is booting")
	}
	for i := range 2 * maxBooting {
		b.note(net.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)})
	}
	if len(b.seen) != maxBooting {
		t.Errorf("%d machines are remembered", len(b.seen))
	}
	now = now.Add(61 * time.Second)
	if b.recent(raMAC) {
		t.Error("a machine is taken to boot for ever")
	}
	b.note(net.HardwareAddr{1, 2, 3, 4, 5, 6})
	if len(b.seen) != 1 {
		t.Errorf("%d machines are remembered after all have gone", len(b.seen))
	}
}

func TestRateOfAnswers(t *testing.T) {
	times, now := defaultRATimes(), time.Unix(1000, 0)
	var r raRate
	if !r.allow(raMAC, now, times) || r.allow(raMAC, now.Add(499*time.Millisecond), times) || !r.allow(raMAC, now.Add(500*time.Millisecond), times) {
		t.Error("one machine gets two answers a second")
	}
	n := 0
	for i := range 300 {
		if r.allow(net.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)}, now.Add(600*time.Millisecond), times) {
			n++
		}
	}
	if n != maxAnswers-2 {
		t.Errorf("%d more answers in the second", n)
	}
	if !r.allow(net.HardwareAddr{3, 0, 0, 0, 0, 0}, now.Add(2*time.Second), times) || len(r.last) != 1 {
		t.Errorf("the next second begins anew; %d kept", len(r.last))
	}
}
