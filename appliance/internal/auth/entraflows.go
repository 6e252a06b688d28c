package auth

import (
	"crypto/subtle"
	"sync"
	"time"

	"slipway/appliance/internal/oidc"
	"slipway/fleet"
)

// Bounds of the sign-ins that wait for a person. They live in memory only: a
// restart forgets them, and the device begins anew. Devices behind one address
// translation share an address.
const (
	maxFlows           = 1000
	maxFlowsPerAddress = 32
	lostAnswer         = time.Minute // a token is answered again for so long
	slowDownBy         = 5 * time.Second
	longestPoll        = time.Minute
	longestRetry       = 30 * time.Second // while the provider does not answer
)

// flow is one device flow. flows' lock guards what changes.
type flow struct {
	key         string // hash of the session
	addr, seg   string
	binding     string
	environment string
	claim       fleet.Claim
	issuer      string // as the settings had it
	clientID    string

	code     oidc.DeviceCode
	started  time.Time
	interval time.Duration
	next     time.Time    // the earliest time of the next poll of the provider
	busy     bool         // a poll is under way
	failures int          // polls in a row without an answer
	person   *oidc.Person // who signed in, while no token could be stored yet

	token    string // after success
	expires  time.Time
	admitted time.Time
}

// ours reports whether the caller is the one that began the flow: the same key, or
// without one the same address.
func (f *flow) ours(c Caller) bool {
	return subtle.ConstantTimeCompare([]byte(f.binding), []byte(c.Binding)) == 1 &&
		(f.binding != "" || f.addr == plainAddr(c.Addr).String())
}

func (f *flow) over(now time.Time) bool {
	if f.token != "" {
		return now.Sub(f.admitted) >= lostAnswer
	}
	return !now.Before(f.code.ExpiresAt)
}

// flows are those under way, by the hash of their session.
type flows struct {
	mu    sync.Mutex
	byKey map[string]*flow
}

func newFlows() *flows { return &flows{byKey: map[string]*flow{}} }

func (fs *flows) find(session string) *flow {
	if !isBearer(session) {
		return nil
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.byKey[hashOf(session)]
}

// add makes room and takes a flow in. A device has one: who begins anew gives up
// what was before.
func (fs *flows) add(f *flow) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	perAddress := 0
	for k, o := range fs.byKey {
		switch {
		case o.binding != "" && o.binding == f.binding:
			delete(fs.byKey, k)
		case o.addr == f.addr:
			perAddress++
		}
	}
	if perAddress >= maxFlowsPerAddress {
		fs.dropOldest(func(o *flow) bool { return o.addr == f.addr })
	}
	// One network that begins many pushes out its own, not those of others.
	if len(fs.byKey) >= maxFlows {
		largest := fs.largestSegment()
		fs.dropOldest(func(o *flow) bool { return o.seg == largest })
	}
	fs.byKey[f.key] = f
}

// largestSegment is the network with the most flows. The caller holds mu.
func (fs *flows) largestSegment() (largest string) {
	n := map[string]int{}
	for _, f := range fs.byKey {
		if n[f.seg]++; n[f.seg] > n[largest] {
			largest = f.seg
		}
	}
	return largest
}

// dropOldest removes the oldest of some. The caller holds mu.
func (fs *flows) dropOldest(which func(*flow) bool) {
	var oldest *flow
	for _, f := range fs.byKey {
		if which(f) && (oldest == nil || f.started.Before(oldest.started)) {
			oldest = f
		}
	}
	if oldest != nil {
		delete(fs.byKey, oldest.key)
	}
}

func (fs *flows) end(f *flow) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.byKey, f.key)
}

func (fs *flows) prune(now time.Time) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for k, f := range fs.byKey {
		if f.over(now) && !f.busy {
			delete(fs.byKey, k)
		}
	}
}

// turn is what to do with a poll of the device.
type turn int

const (
	turnAsk     turn = iota // ask the provider; release must follow
	turnWait                // not yet: wait says how long
	turnTrouble             // not yet, and the provider did not answer last time
	turnAgain               // there is a token: its answer was lost
	turnOver                // too late
)

// take decides on a poll. The provider is asked once at a time, and not before its
// interval has gone by, however often the device asks.
func (fs *flows) take(f *flow, now time.Time) (t turn, wait time.Duration) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	switch {
	case f.busy:
		return turnWait, f.interval
	case f.over(now):
		delete(fs.byKey, f.key)
		return turnOver, 0
	case f.token != "":
		return turnAgain, 0
	case now.Before(f.next):
		// A clock that was set back makes no wait longer than it can be.
		wait = min(f.next.Sub(now), longestPoll)
		if f.failures > 0 {
			return turnTrouble, wait
		}
		return turnWait, wait
	}
	f.busy = true
	return turnAsk, 0
}

// release ends what take began. change is made under the lock.
func (fs *flows) release(f *flow, change func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.busy = false
	change()
}

// answered notes that the provider was asked, and whether it answered. Without an
// answer the time until the next attempt doubles (RFC 8628, section 3.5).
func (f *flow) answered(now time.Time, ok bool) {
	wait := f.interval
	if ok {
		f.failures = 0
	} else {
		f.failures++
		wait = min(f.interval<<min(f.failures-1, 5), max(longestRetry, f.interval))
	}
	f.next = now.Add(wait)
}
