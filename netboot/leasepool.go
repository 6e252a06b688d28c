package netboot

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// pool is who has which address. It holds every lease in memory and writes
// changes through to Leases.
type pool struct {
	subnets []*subnetPool
	keep    Leases
	now     func() time.Time
	own     func(netip.Addr) bool // addresses of this machine

	mu      sync.Mutex
	leases  map[netip.Addr]*poolLease
	clients map[clientIn]netip.Addr  // the newest lease of a client
	offers  map[netip.Addr]poolOffer // offered, not yet taken; not kept over a restart
	offered map[clientIn]netip.Addr
	avoid   map[netip.Addr]time.Time // somebody else answered there; until when

	saving [64]sync.Mutex // one write at a time for an address
}

// subnetPool is a subnet with how far its range has been given out for the first time.
type subnetPool struct {
	Subnet
	next     netip.Addr
	reserved map[netip.Addr]string // address to hardware address
}

type poolLease struct {
	Lease
	saved bool
}

type poolOffer struct {
	client string
	until  time.Time
	boot   *answer // what the offer said of booting; the acknowledgement repeats it
}

type clientIn struct {
	subnet *subnetPool
	client string
}

const (
	offerLife     = 30 * time.Second // firmware was seen to take an offer after 4 s
	quarantine    = time.Hour        // for addresses that somebody uses without having asked us
	maxCandidates = 3                // addresses probed for one DISCOVER
)

// newPool makes the pool and reads what is kept. Leases of networks that are no
// longer configured are removed once they have expired.
func newPool(ctx context.Context, subnets []Subnet, keep Leases, now func() time.Time, own func(netip.Addr) bool) (*pool, error) {
	p := &pool{keep: keep, now: now, own: own, leases: map[netip.Addr]*poolLease{}, clients: map[clientIn]netip.Addr{},
		offers: map[netip.Addr]poolOffer{}, offered: map[clientIn]netip.Addr{}, avoid: map[netip.Addr]time.Time{}}
	for _, s := range subnets {
		sp := &subnetPool{Subnet: s, next: s.First, reserved: map[netip.Addr]string{}}
		for mac, a := range s.Reservations {
			sp.reserved[a] = mac
		}
		p.subnets = append(p.subnets, sp)
	}
	all, err := keep.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the leases: %w", err)
	}
	var old []netip.Addr
	for _, l := range all {
		sub := p.subnetOf(l.Address)
		if sub == nil {
			if !l.Expires.After(now()) {
				old = append(old, l.Address)
			}
			continue
		}
		if ahead := l.Given.Sub(now()); ahead > 0 { // the clock was set back: it would last for so much longer
			l.Given, l.Expires = l.Given.Add(-ahead), l.Expires.Add(-ahead)
		}
		p.set(sub, &poolLease{Lease: l, saved: true})
	}
	if len(old) > 0 {
		if err := keep.Forget(ctx, old); err != nil {
			return nil, fmt.Errorf("remove leases of former networks: %w", err)
		}
	}
	return p, nil
}

// subnetOf finds the subnet of an address; nil when none of ours has it.
func (p *pool) subnetOf(a netip.Addr) *subnetPool {
	for _, s := range p.subnets {
		if s.Prefix.Contains(a) {
			return s
		}
	}
	return nil
}

func (p *pool) set(sub *subnetPool, l *poolLease) {
	if old := p.leases[l.Address]; old != nil && p.clients[clientIn{sub, old.Client}] == l.Address {
		delete(p.clients, clientIn{sub, old.Client})
	}
	p.leases[l.Address] = l
	if l.Declined {
		return
	}
	k := clientIn{sub, l.Client}
	if old, ok := p.leases[p.clients[k]]; !ok || old.Client != l.Client || !l.Given.Before(old.Given) {
		p.clients[k] = l.Address
	}
}

// free reports whether an address may be given to a client.
func (p *pool) free(sub *subnetPool, a netip.Addr, c leaseClient, now time.Time) bool {
	mac, reserved := sub.reserved[a]
	switch {
	case !sub.usable(a), p.own(a), sub.infrastructure(a):
		return false
	case reserved && mac != c.mac, !reserved && !sub.inRange(a):
		return false
	case p.avoid[a].After(now):
		return false
	}
	if o, ok := p.offers[a]; ok && o.client != c.key && o.until.After(now) && !reserved {
		return false
	}
	l, ok := p.leases[a]
	switch {
	case !ok, !l.Expires.After(now):
		return true
	case l.Declined:
		return false
	}
	return l.Client == c.key || reserved // a machine has its reserved address under every identifier
}

// offer chooses an address for a client and holds it for a while. probe says that
// somebody else might use it. ok is false when there is none left.
func (p *pool) offer(sub *subnetPool, c leaseClient, wanted netip.Addr) (a netip.Addr, probe, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if a, ok = p.choose(sub, c, wanted, now); !ok {
		return a, false, false
	}
	l := p.leases[a]
	probe = l == nil || l.Client != c.key || !l.Expires.After(now)
	if o, again := p.offers[a]; again && o.client == c.key && o.until.After(now) {
		probe = false // it was looked at a moment ago
	}
	k := clientIn{sub, c.key}
	delete(p.offers, p.offered[k])
	if o, ok := p.offers[a]; ok {
		delete(p.offered, clientIn{sub, o.client})
	}
	p.offers[a], p.offered[k] = poolOffer{client: c.key, until: now.Add(offerLife)}, a
	return a, probe, true
}

// choose follows RFC 2131, 4.3.1: the reserved address, the client's present or
// former one, the one it wishes, one that nobody ever had, and at last the one
// that has been expired the longest.
func (p *pool) choose(sub *subnetPool, c leaseClient, wanted netip.Addr, now time.Time) (netip.Addr, bool) {
	if a, ok := sub.Reservations[c.mac]; ok {
		return a, p.free(sub, a, c, now)
	}
	k := clientIn{sub, c.key}
	for _, a := range []netip.Addr{p.offered[k], p.clients[k], wanted} {
		if l := p.leases[a]; a.IsValid() && p.free(sub, a, c, now) && (a == wanted || l == nil || l.Client == c.key) {
			return a, true
		}
	}
	for ; sub.next.IsValid() && sub.inRange(sub.next); sub.next = sub.next.Next() {
		if p.leases[sub.next] == nil && p.free(sub, sub.next, c, now) {
			a := sub.next
			sub.next = a.Next()
			return a, true
		}
	}
	return p.oldest(sub, c, now)
}

// oldest finds the free address whose lease ended first.
func (p *pool) oldest(sub *subnetPool, c leaseClient, now time.Time) (best netip.Addr, ok bool) {
	var ended time.Time
	for a := sub.First; a.IsValid() && sub.inRange(a); a = a.Next() {
		var end time.Time
		if l := p.leases[a]; l != nil {
			end = l.Expires
		}
		if (!ok || end.Before(ended)) && p.free(sub, a, c, now) {
			best, ended, ok = a, end, true
		}
	}
	return best, ok
}

// describe notes what an offer said of booting.
func (p *pool) describe(a netip.Addr, c leaseClient, boot *answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o, ok := p.offers[a]; ok && o.client == c.key {
		o.boot = boot
		p.offers[a] = o
	}
}

// described returns what the offer of an address to a client said; ok is false
// when there was none, or it is over.
func (p *pool) described(a netip.Addr, c leaseClient) (boot *answer, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.offers[a]
	return o.boot, ok && o.client == c.key && o.until.After(p.now())
}

// holds reports whether a client has a lease of ours on an address.
func (p *pool) holds(c leaseClient, a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.leases[a]
	return l != nil && l.Client == c.key && !l.Declined && l.Expires.After(p.now())
}

// occupied notes that somebody else answered at an address that was to be offered.
func (p *pool) occupied(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sub := p.subnetOf(a); sub != nil {
		delete(p.offered, clientIn{sub, p.offers[a].client})
	}
	delete(p.offers, a)
	p.avoid[a] = p.now().Add(quarantine)
}

// turnedDown drops the offer of a client that took another server's.
func (p *pool) turnedDown(sub *subnetPool, c leaseClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := clientIn{sub, c.key}
	delete(p.offers, p.offered[k])
	delete(p.offered, k)
}

// save writes the present lease of an address through.
func (p *pool) save(ctx context.Context, a netip.Addr) error {
	b := a.As4()
	lock := &p.saving[b[3]%64]
	lock.Lock()
	defer lock.Unlock()
	p.mu.Lock()
	l := p.leases[a]
	if l == nil || l.saved {
		p.mu.Unlock()
		return nil
	}
	copied := l.Lease
	p.mu.Unlock()
	if err := p.keep.Save(ctx, copied); err != nil {
		return fmt.Errorf("keep the lease of %s: %w", a, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.Lease == copied {
		l.saved = true
	}
	return nil
}

// LeaseFigures are numbers of addresses.
type LeaseFigures struct {
	Active      int // leased at present
	Quarantined int // in use by somebody who did not ask us
	Addresses   int // of all ranges
}

func (p *pool) figures() (f LeaseFigures) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, s := range p.subnets {
		f.Addresses += s.size()
	}
	for _, l := range p.leases {
		switch {
		case !l.Expires.After(now):
		case l.Declined:
			f.Quarantined++
		default:
			f.Active++
		}
	}
	for _, until := range p.avoid {
		if until.After(now) {
			f.Quarantined++
		}
	}
	return f
}
