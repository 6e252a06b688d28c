package netboot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// memoryLeases keeps leases in memory and counts what is written.
type memoryLeases struct {
	mu     sync.Mutex
	kept   map[netip.Addr]Lease
	writes int
	fail   error
}

func (m *memoryLeases) Load(context.Context) ([]Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.kept)), nil
}

func (m *memoryLeases) Save(_ context.Context, l Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.kept == nil {
		m.kept = map[netip.Addr]Lease{}
	}
	m.kept[l.Address] = l
	m.writes++
	return nil
}

func (m *memoryLeases) Forget(_ context.Context, addresses []netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range addresses {
		delete(m.kept, a)
	}
	return nil
}

func (m *memoryLeases) count() (n, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.kept), m.writes
}

func testSubnet() Subnet {
	ip := netip.MustParseAddr
	return Subnet{Prefix: netip.MustParsePrefix("10.77.0.0/24"), First: ip("10.77.0.100"), Last: ip("10.77.0.103"), Router: ip("10.77.0.1"),
		DNS: []netip.Addr{ip("10.77.0.3"), ip("10.77.0.101")}, Domain: "lab.example", Lease: time.Hour,
		Reservations: map[string]netip.Addr{"52:54:00:00:00:aa": ip("10.77.0.50"), "52:54:00:00:00:bb": ip("10.77.0.103")}}
}

// bench is a pool with a clock that tests move.
type poolBench struct {
	*pool
	sub  *subnetPool
	kept *memoryLeases
	t    time.Time
}

func newPoolBench(t *testing.T, kept *memoryLeases) *poolBench {
	t.Helper()
	b := &poolBench{kept: kept, t: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	own := func(a netip.Addr) bool { return a == netip.MustParseAddr("10.77.0.2") }
	p, err := newPool(t.Context(), []Subnet{testSubnet()}, kept, func() time.Time { return b.t }, own)
	if err != nil {
		t.Fatal(err)
	}
	b.pool, b.sub = p, p.subnets[0]
	return b
}

func testClient(n byte) leaseClient {
	mac := fmt.Sprintf("52:54:00:00:00:%02x", n)
	return leaseClient{key: mac, mac: mac}
}

// take goes through DISCOVER and REQUEST.
func (b *poolBench) take(t *testing.T, c leaseClient, wanted string) netip.Addr {
	t.Helper()
	var w netip.Addr
	if wanted != "" {
		w = netip.MustParseAddr(wanted)
	}
	a, _, ok := b.offer(b.sub, c, w)
	if !ok {
		return netip.Addr{}
	}
	if v, _ := b.request(b.sub, c, a, stageSelecting); v != verdictAck {
		t.Fatalf("%s: the offered %s is not acknowledged: %d", c.key, a, v)
	}
	if err := b.save(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPoolChoosesInTheOrderOfTheRFC(t *testing.T) {
	b := newPoolBench(t, &memoryLeases{})
	// .101 is a DNS server and .103 is reserved: .100 and .102 are left.
	if a := b.take(t, testClient(1), ""); a.String() != "10.77.0.100" {
		t.Errorf("the first client got %s", a)
	}
	if a := b.take(t, testClient(2), "10.77.0.101"); a.String() != "10.77.0.102" {
		t.Errorf("the second got %s", a)
	}
	for c, want := range map[byte]string{0xaa: "10.77.0.50", 0xbb: "10.77.0.103", 3: "invalid IP"} {
		if a := b.take(t, testClient(c), "10.77.0.60"); a.String() != want {
			t.Errorf("client %x got %s, want %s", c, a, want)
		}
	}
	b.t = b.t.Add(30 * time.Minute)
	if a := b.take(t, testClient(1), "10.77.0.102"); a.String() != "10.77.0.100" {
		t.Errorf("a client with a lease got %s", a)
	}
	// .100 was extended at half time; .102 has ended, and its client still gets it.
	b.t = b.t.Add(31 * time.Minute)
	if a, probe, _ := b.offer(b.sub, testClient(2), netip.Addr{}); a.String() != "10.77.0.102" || !probe {
		t.Errorf("the former client is offered %s, probed %v", a, probe)
	}
	b.t = b.t.Add(time.Minute)
	if a := b.take(t, testClient(3), ""); a.String() != "10.77.0.102" {
		t.Errorf("the expired address was not reused: %s", a)
	}
	// Both ended: the one that ended first goes first.
	b.t = b.t.Add(3 * time.Hour)
	if a := b.take(t, testClient(4), ""); a.String() != "10.77.0.100" {
		t.Errorf("not the one that ended first: %s", a)
	}
	if a := b.take(t, testClient(5), ""); a.String() != "10.77.0.102" {
		t.Errorf("then %s", a)
	}
	if a := b.take(t, testClient(6), ""); a.IsValid() {
		t.Errorf("an empty pool gave %s", a)
	}
}

func TestPoolHoldsOffers(t *testing.T) {
	b := newPoolBench(t, &memoryLeases{})
	a, probe, _ := b.offer(b.sub, testClient(1), netip.Addr{})
	if again, second, _ := b.offer(b.sub, testClient(1), netip.Addr{}); again != a || !probe || second {
		t.Errorf("offered %s (probe %v), then %s (probe %v)", a, probe, again, second)
	}
	other, _, _ := b.offer(b.sub, testClient(2), a)
	if other == a {
		t.Error("one address was offered to two clients")
	}
	if _, _, ok := b.offer(b.sub, testClient(3), netip.Addr{}); ok {
		t.Error("a third client was offered one of two addresses")
	}
	b.turnedDown(b.sub, testClient(1))
	if got, _, ok := b.offer(b.sub, testClient(3), netip.Addr{}); !ok || got != a {
		t.Errorf("an offer that was turned down is not free: %s", got)
	}
	b.t = b.t.Add(offerLife)
	if got, _, ok := b.offer(b.sub, testClient(4), netip.Addr{}); !ok || got != a {
		t.Errorf("a stale offer is not free: %s", got)
	}
	for n := range 200 { // strangers leave nothing behind
		b.t = b.t.Add(offerLife)
		b.offer(b.sub, testClient(byte(n)), netip.Addr{})
	}
	if len(b.offers) > 4 || len(b.offered) > 4 {
		t.Errorf("%d offers and %d clients are remembered", len(b.offers), len(b.offered))
	}
	b.occupied(a)
	for n := range byte(5) {
		b.t = b.t.Add(offerLife)
		if got, _, ok := b.offer(b.sub, testClient(n), a); ok && got == a {
			t.Error("an address in use was offered")
		}
	}
	b.t = b.t.Add(quarantine)
	if got, _, _ := b.offer(b.sub, testClient(9), a); got != a {
		t.Errorf("after the quarantine: %s", got)
	}
}

// A client whose offer turned out to be in use has none any more: it does not take away
// what is later offered to another.
func TestAnOccupiedAddressIsNobodysOffer(t *testing.T) {
	b := newPoolBench(t, &memoryLeases{})
	one, two := testClient(1), testClient(2)
	a, _, _ := b.offer(b.sub, one, netip.Addr{})
	b.occupied(a)
	b.t = b.t.Add(quarantine + time.Second)
	if got, _, ok := b.offer(b.sub, two, a); !ok || got != a {
		t.Fatalf("%s was offered, not %s", got, a)
	}
	if got, _, ok := b.offer(b.sub, one, netip.Addr{}); !ok || got == a {
		t.Fatalf("%s was offered to two clients", got)
	}
	if v, _ := b.request(b.sub, two, a, stageSelecting); v != verdictAck {
		t.Errorf("the second client's offer is gone: %d", v)
	}
	if len(b.offered) != len(b.offers) {
		t.Errorf("%d clients have %d offers", len(b.offered), len(b.offers))
	}
}

// What an offer said of booting holds as long as the offer.
func TestTheBootPartEndsWithTheOffer(t *testing.T) {
	b := newPoolBench(t, &memoryLeases{})
	c := testClient(1)
	a, _, _ := b.offer(b.sub, c, netip.Addr{})
	b.describe(a, c, &answer{})
	if boot, ok := b.described(a, c); !ok || boot == nil {
		t.Error("forgotten at once")
	}
	if _, ok := b.described(a, testClient(2)); ok {
		t.Error("told to another client")
	}
	b.t = b.t.Add(offerLife)
	if _, ok := b.described(a, c); ok {
		t.Error("told after the offer was over")
	}
}

// What is answered to a REQUEST, by the client's stage and what is known of it.
func TestRequestStages(t *testing.T) {
	const mine, others, free, away = "10.77.0.100", "10.77.0.102", "10.77.0.102", "192.0.2.7"
	for _, c := range []struct {
		name    string
		client  byte
		prepare func(b *poolBench)
		stage   leaseStage
		address string
		want    verdict
	}{
		{"selecting what was offered", 1, func(b *poolBench) { b.offer(b.sub, testClient(1), netip.Addr{}) }, stageSelecting, mine, verdictAck},
		{"selecting what was not offered", 1, nil, stageSelecting, mine, verdictNak},
		{"selecting after its offer went stale", 1, func(b *poolBench) {
			b.offer(b.sub, testClient(1), netip.Addr{})
			b.t = b.t.Add(offerLife)
		}, stageSelecting, mine, verdictNak},
		{"selecting another's offer", 2, func(b *poolBench) { b.offer(b.sub, testClient(1), netip.Addr{}) }, stageSelecting, mine, verdictNak},
		{"selecting its own lease after our restart", 1, func(b *poolBench) { b.take(t, testClient(1), ""); clear(b.offers) }, stageSelecting, mine, verdictAck},
		{"selecting on another network", 1, nil, stageSelecting, away, verdictNak},
		{"reboot with its lease", 1, func(b *poolBench) { b.take(t, testClient(1), "") }, stageInitReboot, mine, verdictAck},
		{"reboot with its expired lease", 1, func(b *poolBench) { b.take(t, testClient(1), ""); b.t = b.t.Add(2 * time.Hour) }, stageInitReboot, mine, verdictAck},
		{"reboot, its lease is somebody else's now", 1, func(b *poolBench) {
			b.take(t, testClient(1), mine)
			b.t = b.t.Add(2 * time.Hour)
			b.take(t, testClient(2), mine)
		}, stageInitReboot, mine, verdictNak},
		{"reboot with an address that is not the one it has", 1, func(b *poolBench) { b.take(t, testClient(1), "") }, stageInitReboot, free, verdictNak},
		{"reboot of a stranger", 1, nil, stageInitReboot, mine, verdictSilent},
		{"reboot of a stranger outside the range", 1, nil, stageInitReboot, "10.77.0.9", verdictSilent},
		{"reboot on another network", 1, nil, stageInitReboot, away, verdictNak},
		{"reboot with the reserved address", 0xaa, nil, stageInitReboot, "10.77.0.50", verdictAck},
		{"reboot with another than the reserved address", 0xaa, nil, stageInitReboot, mine, verdictNak},
		{"renewing", 1, func(b *poolBench) { b.take(t, testClient(1), "") }, stageRenewing, mine, verdictAck},
		{"renewing somebody else's", 1, func(b *poolBench) { b.take(t, testClient(2), others) }, stageRenewing, others, verdictNak},
		{"renewing what the state no longer knows", 1, nil, stageRenewing, mine, verdictAck},
		{"renewing outside the range", 1, nil, stageRenewing, "10.77.0.9", verdictNak},
		{"renewing our own address", 1, nil, stageRenewing, "10.77.0.2", verdictNak},
		{"rebinding", 1, func(b *poolBench) { b.take(t, testClient(1), "") }, stageRebinding, mine, verdictAck},
		{"rebinding on another network", 1, nil, stageRebinding, away, verdictNak},
		{"rebinding an address reserved for another", 1, nil, stageRebinding, "10.77.0.50", verdictNak},
		{"rebinding although an address is reserved", 0xaa, nil, stageRebinding, mine, verdictNak},
		{"no address at all", 1, nil, stageInitReboot, "", verdictSilent},
	} {
		b := newPoolBench(t, &memoryLeases{})
		if c.prepare != nil {
			c.prepare(b)
		}
		a, _ := netip.ParseAddr(c.address)
		got, life := b.request(b.sub, testClient(c.client), a, c.stage)
		if got != c.want || (got == verdictAck) != (life > 0) {
			t.Errorf("%s: verdict %d (life %s), want %d", c.name, got, life, c.want)
		}
	}
}

// A lease is written when it is given and at half time, not in between; what the
// client is told never ends after what is kept.
func TestRenewalsAreWrittenAtHalfTime(t *testing.T) {
	kept := &memoryLeases{}
	b := newPoolBench(t, kept)
	c := testClient(1)
	a := b.take(t, c, "")
	for minute := range 180 {
		b.t = b.t.Add(time.Minute)
		v, life := b.request(b.sub, c, a, stageRenewing)
		if err := b.save(t.Context(), a); err != nil || v != verdictAck {
			t.Fatal(v, err)
		}
		if end := b.t.Add(life); end.After(kept.kept[a].Expires) || life < 30*time.Minute {
			t.Fatalf("minute %d: told until %s, kept until %s", minute, end, kept.kept[a].Expires)
		}
	}
	if _, writes := kept.count(); writes != 1+180/30 {
		t.Errorf("%d writes in three hours of renewals a minute", writes)
	}
}

func TestLeasesSurviveARestart(t *testing.T) {
	kept := &memoryLeases{}
	b := newPoolBench(t, kept)
	a := b.take(t, testClient(1), "10.77.0.102")
	after := newPoolBench(t, kept)
	after.t = b.t.Add(10 * time.Minute)
	if v, life := after.request(after.sub, testClient(1), a, stageRenewing); v != verdictAck || life != 50*time.Minute {
		t.Errorf("after a restart: %d, %s", v, life)
	}
	if got := after.take(t, testClient(2), a.String()); got == a {
		t.Error("a kept lease was given to somebody else")
	}
	if got := after.take(t, testClient(1), ""); got != a {
		t.Errorf("the client came back and got %s", got)
	}
}

// Leases given while the clock was years ahead end after their time, not years later.
func TestLeasesFromTheFuture(t *testing.T) {
	kept := &memoryLeases{}
	b := newPoolBench(t, kept)
	b.t = b.t.AddDate(4, 0, 0)
	for n := range byte(2) { // the whole range: one address is a server's, one is reserved
		b.take(t, testClient(n+1), "")
	}
	b = newPoolBench(t, kept)
	if a, _, ok := b.offer(b.sub, testClient(9), netip.Addr{}); ok {
		t.Errorf("%s is another client's", a)
	}
	b.t = b.t.Add(testSubnet().Lease + time.Second)
	if _, _, ok := b.offer(b.sub, testClient(9), netip.Addr{}); !ok {
		t.Error("the range stays used up")
	}
}

// What could not be kept is not acknowledged, and tried again.
func TestALeaseThatCannotBeKept(t *testing.T) {
	kept := &memoryLeases{fail: errors.New("disk full")}
	b := newPoolBench(t, kept)
	a, _, _ := b.offer(b.sub, testClient(1), netip.Addr{})
	b.request(b.sub, testClient(1), a, stageSelecting)
	if err := b.save(t.Context(), a); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Fatal(err)
	}
	kept.fail = nil
	if v, _ := b.request(b.sub, testClient(1), a, stageSelecting); v != verdictAck || b.save(t.Context(), a) != nil {
		t.Fatal(v)
	}
	if n, _ := kept.count(); n != 1 {
		t.Errorf("%d leases are kept", n)
	}
}

func TestReleaseAndDecline(t *testing.T) {
	kept := &memoryLeases{}
	b := newPoolBench(t, kept)
	a := b.take(t, testClient(1), "")
	if b.release(testClient(2), a) || b.decline(b.sub, testClient(2), a) {
		t.Error("a stranger ended a lease")
	}
	if !b.release(testClient(1), a) || b.release(testClient(1), a) {
		t.Error("the release was not taken, or twice")
	}
	if err := b.save(t.Context(), a); err != nil || kept.kept[a].Expires.After(b.t) {
		t.Errorf("kept: %+v, %v", kept.kept[a], err)
	}
	if got := b.take(t, testClient(1), ""); got != a {
		t.Errorf("after its release the client got %s", got)
	}
	if !b.decline(b.sub, testClient(1), a) || b.decline(b.sub, testClient(1), a) {
		t.Error("the decline was not taken, or twice")
	}
	if err := b.save(t.Context(), a); err != nil || !kept.kept[a].Declined {
		t.Errorf("kept: %+v, %v", kept.kept[a], err)
	}
	after := newPoolBench(t, kept) // the quarantine outlives a restart
	for n := range byte(4) {
		if got, _, ok := after.offer(after.sub, testClient(n), a); ok && got == a {
			t.Error("a declined address was offered")
		}
		after.t = after.t.Add(offerLife)
	}
	if f := after.figures(); f.Quarantined != 1 || f.Addresses != 4 {
		t.Errorf("%+v", f)
	}
	after.t = after.t.Add(quarantine)
	if got, probe, ok := after.offer(after.sub, testClient(9), a); !ok || got != a || !probe {
		t.Errorf("after the quarantine: %s, probed %v", got, probe)
	}
}

func TestLeasesOfFormerNetworksAreForgotten(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	old, still := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	kept := &memoryLeases{kept: map[netip.Addr]Lease{
		old: {Address: old, Client: "x", Expires: now}, still: {Address: still, Client: "y", Expires: now.Add(time.Hour)}}}
	newPoolBench(t, kept)
	if _, there := kept.kept[old]; there || len(kept.kept) != 1 {
		t.Errorf("kept %v", kept.kept)
	}
}

func TestStageOf(t *testing.T) {
	request := messageType(dhcpv4.MessageTypeRequest)
	ci := func(p *dhcpv4.DHCPv4) { p.ClientIPAddr = net.IP{10, 77, 0, 9} }
	server, address := option(54, "\x0a\x4d\x00\x02"), option(50, "\x0a\x4d\x00\x09")
	for _, c := range []struct {
		name    string
		packet  *dhcpv4.DHCPv4
		unicast bool
		want    leaseStage
	}{
		{"discover", discover(), false, stageDiscover},
		{"selecting", discover(request, server, address), false, stageSelecting},
		{"init-reboot", discover(request, address), false, stageInitReboot},
		{"renewing", discover(request, ci), true, stageRenewing},
		{"rebinding", discover(request, ci), false, stageRebinding},
		{"decline", discover(messageType(dhcpv4.MessageTypeDecline), address), false, stageDecline},
		{"release", discover(messageType(dhcpv4.MessageTypeRelease), ci), true, stageRelease},
		{"inform", discover(messageType(dhcpv4.MessageTypeInform), ci), false, stageInform},
		{"inform without an address", discover(messageType(dhcpv4.MessageTypeInform)), false, 0},
		{"boot server", discover(request, ci, server), true, 0},
		{"nothing", discover(request), false, 0},
		{"an offer", discover(messageType(dhcpv4.MessageTypeOffer)), false, 0},
	} {
		got, ok := stageOf(c.packet, c.unicast)
		if ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%s: %d, %v, want %d", c.name, got, ok, c.want)
		}
	}
}

func TestClientsAreToldApart(t *testing.T) {
	const mac = "52:54:00:12:34:56"
	plain := option(60, "MSFT 5.0")
	for _, c := range []struct {
		name   string
		packet *dhcpv4.DHCPv4
		want   string
	}{
		{"no identifier", discover(plain), mac},
		{"its hardware address", discover(plain, option(61, "\x01\x52\x54\x00\x12\x34\x56")), mac},
		{"a DUID", discover(plain, option(61, "\xff\x01\x02")), "id:ff0102"},
		{"firmware with its UUID", discover(option(61, "\x00\x01\x02\x03")), mac},
		{"the agent", discover(option(60, ClassAgent), option(61, "\xff\x01\x02")), mac},
		{"iPXE", discover(option(60, ""), option(77, "iPXE"), option(175, "\x13\x01\x01"), option(61, "\xff\x01")), mac},
	} {
		if got := leaseClientOf(c.packet).key; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := leaseClientOf(discover(plain, option(61, strings.Repeat("x", 200)))).key; len(got) != 3+64 {
		t.Errorf("a long identifier became %q", got)
	}
	for in, want := range map[string]string{"pc-7.example": "pc-7.example", "pc\x00": "pc", "a b": "", "<x>": "", strings.Repeat("x", 64): ""} {
		if got := leaseClientOf(discover(option(12, in))).host; got != want {
			t.Errorf("host name %q became %q", in, got)
		}
	}
}

func TestValidateSubnets(t *testing.T) {
	if err := ValidateSubnets([]Subnet{testSubnet()}); err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr
	for want, change := range map[string]func(*Subnet){
		"is not an IPv4 network":                       func(s *Subnet) { s.Prefix = netip.MustParsePrefix("10.77.0.1/24") },
		"10.77.0.0/24: range: is missing":              func(s *Subnet) { s.First, s.Last, s.Reservations = netip.Addr{}, netip.Addr{}, nil },
		"range: 10.77.0.0-10.77.0.103 is not inside":   func(s *Subnet) { s.First = ip("10.77.0.0") },
		"range: 10.77.0.100-10.77.0.255 is not inside": func(s *Subnet) { s.Last = ip("10.77.0.255") },
		"comes after 10.77.0.99":                       func(s *Subnet) { s.Last = ip("10.77.0.99") },
		"router: 10.78.0.1 is not":                     func(s *Subnet) { s.Router = ip("10.78.0.1") },
		"dns: ::1 is not":                              func(s *Subnet) { s.DNS = []netip.Addr{ip("::1")} },
		"lease: 1s is not between 2m0s":                func(s *Subnet) { s.Lease = time.Second },
		"reservations: \"x\" is not a hardware":        func(s *Subnet) { s.Reservations = map[string]netip.Addr{"x": ip("10.77.0.7")} },
		"reservations: 10.78.0.7 is not":               func(s *Subnet) { s.Reservations = map[string]netip.Addr{"52:54:00:00:00:01": ip("10.78.0.7")} },
		"is reserved for both":                         func(s *Subnet) { s.Reservations["52:54:00:00:00:ab"] = ip("10.77.0.50") },
	} {
		s := testSubnet()
		change(&s)
		if err := ValidateSubnets([]Subnet{s}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	big := testSubnet()
	big.Prefix, big.First, big.Last = netip.MustParsePrefix("10.0.0.0/8"), ip("10.0.0.1"), ip("10.200.0.0")
	if err := ValidateSubnets([]Subnet{big, testSubnet()}); err == nil || !strings.Contains(err.Error(), "more than the 65536") || !strings.Contains(err.Error(), "10.77.0.0/24: overlaps 10.0.0.0/8") {
		t.Errorf("%v", err)
	}
}
