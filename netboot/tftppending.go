package netboot

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// pendingRequest is a read request that was answered and not acknowledged yet.
// A request costs its sender nothing and may carry a forged address, so until
// the first acknowledgement it is this record and nothing more: no socket, no
// open file, no goroutine.
type pendingRequest struct {
	socket  *udpSocket // that it is answered from
	peer    netip.AddrPort
	local   netip.Addr // address of ours that was asked
	request tftpRequest
	first   []byte // our first packet: option acknowledgement or DATA 1
	expect  uint16 // block number that acknowledges it: 0 or 1

	at, sentAt time.Time
	sent       int
	inAll      *list.Element
	inAddress  *list.Element
}

// pendingTable holds the requests that wait for their first acknowledgement. It
// is bounded over all and per address; the oldest makes room.
type pendingTable struct {
	max, perAddress int
	now             func() time.Time

	mu        sync.Mutex
	all       *list.List // oldest first
	byPeer    map[netip.AddrPort]*pendingRequest
	byAddress map[netip.Addr]*list.List // oldest first
}

const (
	maxPending           = 8192 // some 600 bytes each
	maxPendingPerAddress = 64
	// pendingLife is when a request is forgotten; clients give up at about this time.
	pendingLife = 7 * time.Second
)

func newPendingTable(limit, perAddress int, now func() time.Time) *pendingTable {
	return &pendingTable{max: limit, perAddress: perAddress, now: now, all: list.New(),
		byPeer: map[netip.AddrPort]*pendingRequest{}, byAddress: map[netip.Addr]*list.List{}}
}

// add takes a request in, in the place of an earlier one of the same peer, and
// returns how many others had to go.
func (t *pendingTable) add(p *pendingRequest) (evicted int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.byPeer[p.peer]; old != nil {
		t.removeLocked(old)
	}
	own := t.byAddress[p.peer.Addr()]
	if own != nil && own.Len() >= t.perAddress {
		t.removeLocked(own.Front().Value.(*pendingRequest))
		evicted++
	}
	if t.all.Len() >= t.max {
		t.removeLocked(t.all.Front().Value.(*pendingRequest))
		evicted++
	}
	if own = t.byAddress[p.peer.Addr()]; own == nil {
		own = list.New()
		t.byAddress[p.peer.Addr()] = own
	}
	p.at = t.now()
	p.sentAt, p.sent = p.at, 1
	p.inAll, p.inAddress = t.all.PushBack(p), own.PushBack(p)
	t.byPeer[p.peer] = p
	return evicted
}

// find returns the request that an acknowledgement of block from peer is for.
func (t *pendingTable) find(peer netip.AddrPort, block uint16) *pendingRequest {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.byPeer[peer]; p != nil && p.expect == block {
		return p
	}
	return nil
}

// socket returns what a peer was answered from already, nil for a new one: a client
// that asks twice takes either answer, and acknowledges to its port.
func (t *pendingTable) socket(peer netip.AddrPort) *udpSocket {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.byPeer[peer]; p != nil {
		return p.socket
	}
	return nil
}

// remove forgets the request of a peer.
func (t *pendingTable) remove(peer netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.byPeer[peer]; p != nil {
		t.removeLocked(p)
	}
}

func (t *pendingTable) removeLocked(p *pendingRequest) {
	t.all.Remove(p.inAll)
	own := t.byAddress[p.peer.Addr()]
	if own.Remove(p.inAddress); own.Len() == 0 {
		delete(t.byAddress, p.peer.Addr())
	}
	delete(t.byPeer, p.peer)
}

// resend is a first packet to send again.
type resend struct {
	socket *udpSocket
	packet []byte
	to     netip.AddrPort
	source netip.Addr
}

// due forgets requests that are too old and returns the first packets that were
// lost, to all appearances: the client repeats its request only after seconds.
func (t *pendingTable) due() (out []resend) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for e := t.all.Front(); e != nil; {
		p := e.Value.(*pendingRequest)
		e = e.Next()
		switch {
		case now.Sub(p.at) >= pendingLife:
			t.removeLocked(p)
		case now.Sub(p.sentAt) >= tftpRetransmit && p.sent < tftpRetries:
			p.sentAt = now
			p.sent++
			out = append(out, resend{p.socket, p.first, p.peer, p.local})
		}
	}
	return out
}

func (t *pendingTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.Len()
}
