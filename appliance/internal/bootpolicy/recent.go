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
	always fleet.BootTarget // the lasting answer then: a change of it ends the attempt
	at     time.Time
	until  time.Time
}

const (
	// attemptWindow is how long repeated requests count as one boot attempt: a
	// loader repeats a request that broke off within seconds, while a restart
	// through the firmware takes longer.
	attemptWindow = 20 * time.Second
	// silenceWindow is the same for silence: EDK2 sends its DISCOVERs over a
	// minute before it gives up.
	silenceWindow = 75 * time.Second
	// maxRecent bounds the memory. Each entry took an administrator's action.
	maxRecent = 10_000
)

func newRecent(now func() time.Time) *recent {
	return &recent{now: now, answers: map[string]answered{}}
}

// put remembers the answer for a device from now on; asking does not prolong it.
func (r *recent) put(d fleet.Device, t fleet.BootTarget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, window := r.now(), attemptWindow
	if t == fleet.BootSilent {
		window = silenceWindow
	}
	if len(r.answers) >= maxRecent {
		for k, a := range r.answers {
			if now.After(a.until) {
				delete(r.answers, k)
			}
		}
	}
	if len(r.answers) < maxRecent {
		r.answers[d.ID] = answered{t, d.Boot.Always, now, now.Add(window)}
	}
}

// get returns the answer of the attempt under way.
func (r *recent) get(d fleet.Device) (answered, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.answers[d.ID]
	if ok && (r.now().After(a.until) || d.Boot.Always != a.always) {
		delete(r.answers, d.ID)
		ok = false
	}
	return a, ok
}
