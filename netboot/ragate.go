package netboot

import (
	"net"
	"sync"
	"time"
)

// RAConfig is the answer to router solicitations of booting machines: an
// advertisement that gives nobody a route or an address, and ends iPXE's wait of
// some 13 seconds for IPv6.
type RAConfig struct {
	Answer bool

	times raTimes // of the tests
}

// raTimes say when the answer is given.
type raTimes struct {
	settle time.Duration // a link is listened to before the first answer: routers answer within 0.5 s (RFC 4861, 6.2.6)
	ask    time.Duration // between our own solicitations
	gone   time.Duration // without an advertisement: the other router is gone
	fresh  time.Duration // after its DHCP request a machine is taken to be booting
	again  time.Duration // between two answers to one machine
}

func defaultRATimes() raTimes {
	return raTimes{settle: 4 * time.Second, ask: time.Minute, gone: 4 * time.Minute, fresh: 2 * time.Minute, again: 500 * time.Millisecond}
}

// maxAnswers is how many advertisements leave in a second, to all.
const maxAnswers = 100

// bootingMachines remembers which machines were just offered something to boot.
type bootingMachines struct {
	now   func() time.Time
	fresh time.Duration

	mu   sync.Mutex
	seen map[uint64]time.Time
}

// maxBooting bounds what is remembered; more machines than that at once get no answer.
const maxBooting = 4096

func newBootingMachines(now func() time.Time, fresh time.Duration) *bootingMachines {
	return &bootingMachines{now: now, fresh: fresh, seen: map[uint64]time.Time{}}
}

// note remembers a machine. It may be called on nil, where nobody asks.
func (b *bootingMachines) note(mac net.HardwareAddr) {
	if b == nil || len(mac) != 6 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if _, known := b.seen[macKey(mac)]; !known && len(b.seen) >= maxBooting {
		for k, t := range b.seen {
			if now.Sub(t) > b.fresh {
				delete(b.seen, k)
			}
		}
		if len(b.seen) >= maxBooting {
			return
		}
	}
	b.seen[macKey(mac)] = now
}

// recent reports whether a machine was noted lately.
func (b *bootingMachines) recent(mac net.HardwareAddr) bool {
	if len(mac) != 6 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.seen[macKey(mac)]
	return ok && b.now().Sub(t) <= b.fresh
}

// raLink is what is known of one link.
type raLink struct {
	asked, since time.Time // our last and first solicitation that left
	foreign      time.Time // the last advertisement of another router
	told         bool      // the log says that solicitations are answered here
}

// silent reports whether no router is there: it was listened for long enough, and
// nothing was heard for some time.
func (l *raLink) silent(now time.Time, t raTimes) bool {
	return !l.since.IsZero() && now.Sub(l.since) >= t.settle && (l.foreign.IsZero() || now.Sub(l.foreign) >= t.gone)
}

// raRate bounds the answers: to one machine, and in all.
type raRate struct {
	second time.Time
	count  int
	last   map[uint64]time.Time // of this second and the one before
}

func (r *raRate) allow(mac net.HardwareAddr, now time.Time, t raTimes) bool {
	if now.Sub(r.second) >= time.Second || now.Before(r.second) {
		r.second, r.count = now, 0
		for k, at := range r.last {
			if now.Sub(at) >= t.again {
				delete(r.last, k)
			}
		}
	}
	if at, ok := r.last[macKey(mac)]; r.count >= maxAnswers || ok && now.Sub(at) < t.again {
		return false
	}
	if r.last == nil {
		r.last = map[uint64]time.Time{}
	}
	r.last[macKey(mac)] = now
	r.count++
	return true
}
