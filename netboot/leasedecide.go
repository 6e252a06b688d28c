package netboot

import (
	"net/netip"
	"time"
)

// verdict is the answer to a REQUEST.
type verdict int

const (
	verdictSilent verdict = iota
	verdictAck
	verdictNak
)

// request decides on a REQUEST for an address (RFC 2131, 4.3.2). An acknowledged
// one is in the pool when it returns; save makes it durable. life is what the
// client may be told.
//
// The record is renewed only when less than half of its time is left: before, the
// client is told the time that remains, and nothing is written.
func (p *pool) request(sub *subnetPool, c leaseClient, a netip.Addr, st leaseStage) (v verdict, life time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if v = p.judge(sub, c, a, st, now); v != verdictAck {
		return v, 0
	}
	if l := p.leases[a]; l != nil && l.Client == c.key && !l.Declined {
		left := l.Expires.Sub(now).Truncate(time.Second)
		if left > sub.Lease/2 && left <= sub.Lease {
			return verdictAck, left
		}
	}
	p.set(sub, &poolLease{Lease: Lease{Address: a, Client: c.key, MAC: c.mac, Host: c.host, Given: now, Expires: now.Add(sub.Lease)}})
	return verdictAck, sub.Lease
}

// judge is request without its effects.
func (p *pool) judge(sub *subnetPool, c leaseClient, a netip.Addr, st leaseStage, now time.Time) verdict {
	reserved, hasReserved := sub.Reservations[c.mac]
	switch {
	case !a.IsValid():
		return verdictSilent
	case !sub.Prefix.Contains(a): // it has moved here from another network
		return verdictNak
	case hasReserved && a != reserved: // it is to have its own address from now on
		return verdictNak
	}
	l := p.leases[a]
	held := l != nil && l.Client == c.key && !l.Declined
	o, ok := p.offers[a]
	offered := ok && o.client == c.key && o.until.After(now)
	free := p.free(sub, a, c, now)
	switch st {
	case stageSelecting:
		if free && (offered || held || hasReserved) {
			return verdictAck
		}
		return verdictNak
	case stageInitReboot:
		if free && (held || hasReserved) {
			return verdictAck
		}
		_, known := p.clients[clientIn{sub, c.key}]
		if held || known || l != nil && l.Expires.After(now) {
			return verdictNak
		}
		return verdictSilent // no record of this client: not ours to judge
	case stageRenewing, stageRebinding:
		// A client that is not known may have its lease from before the state was
		// restored: it uses the address, so it may keep it while that is free.
		if free {
			return verdictAck
		}
		return verdictNak
	}
	return verdictSilent
}

// release ends a lease. The client gets the same address again as long as nobody
// else needed it.
func (p *pool) release(c leaseClient, a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	l := p.leases[a]
	if l == nil || l.Client != c.key || l.Declined || !l.Expires.After(now) {
		return false
	}
	ended := l.Lease
	ended.Expires = now
	p.leases[a] = &poolLease{Lease: ended}
	return true
}

// decline puts an address in quarantine. Only the client that was offered or has
// it can: otherwise anybody could use the range up.
func (p *pool) decline(sub *subnetPool, c leaseClient, a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	l, o := p.leases[a], p.offers[a]
	held := l != nil && l.Client == c.key && !l.Declined && l.Expires.After(now)
	if !held && (o.client != c.key || !o.until.After(now)) {
		return false
	}
	delete(p.offers, a)
	k := clientIn{sub, c.key}
	if p.clients[k] == a {
		delete(p.clients, k)
	}
	if p.offered[k] == a {
		delete(p.offered, k)
	}
	p.leases[a] = &poolLease{Lease: Lease{Address: a, Client: c.key, MAC: c.mac, Host: c.host, Given: now, Expires: now.Add(quarantine), Declined: true}}
	return true
}
