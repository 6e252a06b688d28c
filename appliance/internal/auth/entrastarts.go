package auth

import (
	"strings"
	"sync"
	"time"
)

// starts limits how fast strangers can make the appliance ask the provider for
// codes, or sign in where nothing is to be proven. It is apart from the throttling of
// passcodes: neither holds up the other.
type starts struct {
	mu      sync.Mutex
	buckets map[string]*drum
}

const maxStartBuckets = 8192

// A site that switches on all its machines at once fits; one network can take a
// fifth of what all together may.
var startRates = [3]rate{
	{burst: 32, perDay: 6 * 24 * 60},         // an address
	{burst: 300, perDay: 2 * 24 * 60 * 60},   // a network segment
	{burst: 1500, perDay: 10 * 24 * 60 * 60}, // all
}

func startRate(key string) rate {
	switch {
	case key == totalKey:
		return startRates[2]
	case strings.HasPrefix(key, "seg:"):
		return startRates[1]
	}
	return startRates[0]
}

func newStarts() *starts { return &starts{buckets: map[string]*drum{}} }

// begin counts a start, or says how long to wait.
func (st *starts) begin(s subject, now time.Time) *ThrottledError {
	st.mu.Lock()
	defer st.mu.Unlock()
	keys := [3]string{"addr:" + s.addr.String(), s.segKey, totalKey}
	for i, scope := range [3]string{"address", "segment", "total"} {
		if wait, blocked := st.buckets[keys[i]].blocked(now, startRate(keys[i])); blocked {
			return &ThrottledError{RetryAfter: min(wholeSeconds(wait), longestWait), Scope: scope}
		}
	}
	for _, key := range keys {
		d := st.buckets[key]
		if d == nil {
			if len(st.buckets) >= maxStartBuckets {
				st.makeRoom()
			}
			d = &drum{last: now}
			st.buckets[key] = d
		}
		d.leak(now, startRate(key))
		d.level++
	}
	return nil
}

// makeRoom drops the emptiest of some buckets, never the one for all.
func (st *starts) makeRoom() {
	least, looked := "", 0
	for k, d := range st.buckets {
		if k != totalKey && (least == "" || d.level < st.buckets[least].level) {
			least = k
		}
		if looked++; looked == 64 {
			break
		}
	}
	delete(st.buckets, least)
}

func (st *starts) prune(now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for k, d := range st.buckets {
		if d.leak(now, startRate(k)); d.level <= 0 {
			delete(st.buckets, k)
		}
	}
}
