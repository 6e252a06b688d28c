package bootpolicy

import (
	"sync"
	"time"

	"slipway/fleet"
)

// recent remembers the one-time answers consumed within one boot attempt: a
// loader asks several times (its script once more after a failure, firmware its
// DISCOVER after none was answered), and must be told the same each time.
type recent struct {
	now func() time.Time

	mu      sync.Mutex
	answers map[string]answered
}

type answered struct {
	target fleet.BootTarget
	until  time.Time
}

const (
	// attemptWindow is how long repeated requests count as one boot attempt. EDK2
	// sends its DISCOVERs over a minute; a machine that restarts by itself is back
	// later than this.
	attemptWindow = 75 * time.Second
	// maxRecent bounds the memory. Each entry took an administrator's action.
	maxRecent = 10_000
)

func newRecent(now func() time.Time) *recent {
	return &recent{now: now, answers: map[string]answered{}}
}

// put remembers an answer from now on; asking does not prolong it.
func (r *recent) put(id string, t fleet.BootTarget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.answers) >= maxRecent {
		for k, a := range r.answers {
			if now.After(a.until) {
				delete(r.answers, k)
			}
		}
	}
	if len(r.answers) < maxRecent {
		r.answers[id] = answered{t, now.Add(attemptWindow)}
	}
}

// get returns the answer of the attempt under way, "" when there is none.
func (r *recent) get(id string) fleet.BootTarget {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.answers[id]
	if !ok {
		return ""
	}
	if r.now().After(a.until) {
		delete(r.answers, id)
		return ""
	}
	return a.target
}
