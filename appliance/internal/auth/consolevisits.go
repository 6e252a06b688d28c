package auth

import (
	"crypto/subtle"
	"sync"
	"time"
)

// Bounds of the browsers that are at the provider. They are remembered in memory
// only: after a restart a person begins again.
const (
	maxVisits           = 1000
	maxVisitsPerAddress = 32
	visitLasts          = 10 * time.Minute
)

// visit is a browser that was sent to the provider.
type visit struct {
	key      string // hash of the state
	cookie   string // hash of what the browser keeps
	nonce    string
	verifier string // of PKCE
	redirect string // where the browser comes back to
	issuer   string // as the settings had it
	clientID string
	addr     string
	started  time.Time
}

// by reports whether the browser with this cookie is the one that was sent.
func (v *visit) by(cookie string) bool {
	return subtle.ConstantTimeCompare([]byte(v.cookie), []byte(hashOf(cookie))) == 1
}

func (v *visit) over(now time.Time) bool { return now.Sub(v.started) >= visitLasts }

type visits struct {
	starts *starts // how fast they may begin

	mu    sync.Mutex
	byKey map[string]*visit
}

func newVisits() *visits { return &visits{starts: newStarts(), byKey: map[string]*visit{}} }

// add takes a visit in; the oldest of the same address, or of all, makes room.
func (vs *visits) add(v *visit) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var oldest, own *visit
	n := 0
	older := func(a, b *visit) bool { return b == nil || a.started.Before(b.started) }
	for _, o := range vs.byKey {
		if older(o, oldest) {
			oldest = o
		}
		if o.addr == v.addr {
			n++
			if older(o, own) {
				own = o
			}
		}
	}
	switch {
	case n >= maxVisitsPerAddress:
		delete(vs.byKey, own.key)
	case len(vs.byKey) >= maxVisits:
		delete(vs.byKey, oldest.key)
	}
	vs.byKey[v.key] = v
}

// take removes the visit of a state: it is good once. nil when there is none.
func (vs *visits) take(state string) *visit {
	if !isBearer(state) {
		return nil
	}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	key := hashOf(state)
	v := vs.byKey[key]
	delete(vs.byKey, key)
	return v
}

func (vs *visits) prune(now time.Time) {
	vs.starts.prune(now)
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for k, v := range vs.byKey {
		if v.over(now) {
			delete(vs.byKey, k)
		}
	}
}
