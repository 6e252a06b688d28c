package auth

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"slipway/fleet"
)

// Bounds of the waiting list. Strangers may stand in it, too.
const (
	maxHolds           = 4096
	maxHoldsPerSegment = 1024
	maxHoldsPerAddress = 4
	holdIdle           = 15 * time.Minute // a device that does not ask again leaves the list
	releaseLasts       = 10 * time.Minute
	releaseTries       = 5
)

// codeLetters leaves out what is easily misread: 0 O, 1 I L, 5 S, 8 B, 2 Z.
const codeLetters = "ACDEFGHJKMNPQRTUVWXY3469"

const codeLength = 5

// hold is one device in the waiting list: an address and what it claims to be.
type hold struct {
	code          string
	subject       subject
	reason        string
	since, seen   time.Time
	asked         int
	releasedUntil time.Time
	tries         int // attempts left of a release
}

type holdKey struct{ addr, device string }

func holdKeyOf(s subject) holdKey {
	device := s.devKey
	if device == "" {
		device = s.device
	}
	return holdKey{s.addr.String(), device}
}

func (h *hold) active(now time.Time) bool { return h.tries > 0 && now.Before(h.releasedUntil) }

func (h *hold) stale(now time.Time) bool {
	return now.Sub(h.seen) > holdIdle && !h.active(now)
}

// holds is the waiting list. The throttle's lock guards it.
type holds struct {
	byKey      map[holdKey]*hold
	byCode     map[string]*hold
	perAddress map[netip.Addr][]*hold
	perSegment map[string]int
}

func newHolds() *holds {
	return &holds{
		byKey: map[holdKey]*hold{}, byCode: map[string]*hold{},
		perAddress: map[netip.Addr][]*hold{}, perSegment: map[string]int{},
	}
}

// enter puts the subject into the list, or finds it there, and returns its code.
func (hs *holds) enter(s subject, reason string, now time.Time) (h *hold, isNew bool) {
	if h := hs.byKey[holdKeyOf(s)]; h != nil {
		h.seen, h.reason = now, reason
		h.asked++
		return h, false
	}
	hs.makeRoom(s, now)
	h = &hold{code: hs.newCode(), subject: s, reason: reason, since: now, seen: now, asked: 1}
	hs.byKey[holdKeyOf(s)] = h
	hs.byCode[h.code] = h
	hs.perAddress[s.addr] = append(hs.perAddress[s.addr], h)
	hs.perSegment[s.segKey]++
	return h, true
}

func (hs *holds) newCode() string {
	for {
		if code := randomCode(codeLength); hs.byCode[code] == nil {
			return code
		}
	}
}

// randomCode is n letters, each of them equally likely.
func randomCode(n int) string {
	code := make([]byte, n)
	for i := range code {
		code[i] = randomLetter(codeLetters)
	}
	return string(code)
}

// makeRoom keeps the bounds before s enters.
func (hs *holds) makeRoom(s subject, now time.Time) {
	all := maps.Values(hs.byKey)
	switch {
	case len(hs.perAddress[s.addr]) >= maxHoldsPerAddress:
		hs.evict(slices.Values(hs.perAddress[s.addr]), now)
	case hs.perSegment[s.segKey] >= maxHoldsPerSegment:
		hs.evict(func(yield func(*hold) bool) {
			for h := range all {
				if h.subject.segKey == s.segKey && !yield(h) {
					return
				}
			}
		}, now)
	case len(hs.byKey) >= maxHolds:
		hs.evict(all, now)
	}
}

// evict removes one of the candidates: a stale one, else one that asked only once,
// else the one idle for longest. It looks at some of them, not at all: a flood must
// not cost more than it does, and who just came is never the worst of many.
func (hs *holds) evict(candidates iter.Seq[*hold], now time.Time) {
	var worst *hold
	looked := 0
	for h := range candidates {
		if worst == nil || evictable(h, worst, now) {
			worst = h
		}
		if looked++; looked == 64 {
			break
		}
	}
	if worst != nil {
		hs.remove(worst)
	}
}

// evictable reports whether a should go before b.
func evictable(a, b *hold, now time.Time) bool {
	rank := func(h *hold) int {
		switch {
		case h.active(now):
			return 3
		case h.stale(now):
			return 0
		case h.asked == 1:
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.seen.Compare(b.seen), a.since.Compare(b.since)) < 0
}

// remove takes a hold out; one that is out already changes nothing.
func (hs *holds) remove(h *hold) {
	if hs.byCode[h.code] != h {
		return
	}
	delete(hs.byKey, holdKeyOf(h.subject))
	delete(hs.byCode, h.code)
	others := slices.DeleteFunc(hs.perAddress[h.subject.addr], func(o *hold) bool { return o == h })
	if hs.perAddress[h.subject.addr] = others; len(others) == 0 {
		delete(hs.perAddress, h.subject.addr)
	}
	if hs.perSegment[h.subject.segKey]--; hs.perSegment[h.subject.segKey] == 0 {
		delete(hs.perSegment, h.subject.segKey)
	}
}

// released returns the subject's hold when it may try now.
func (hs *holds) released(s subject, now time.Time) *hold {
	if h := hs.byKey[holdKeyOf(s)]; h != nil && h.active(now) {
		return h
	}
	return nil
}

func (hs *holds) prune(now time.Time) {
	for _, h := range hs.byKey {
		if h.stale(now) {
			hs.remove(h)
		}
	}
}

// reasons say in words why a scope holds a device back.
var reasons = map[string]string{
	"address": "many failed attempts from this network link",
	"device":  "many failed attempts for this device",
	"segment": "many failed attempts from this network segment",
	"total":   "the daily number of failed attempts is used up",
}

// list is the waiting list for people, oldest first.
func (hs *holds) list(now time.Time) []fleet.Held {
	out := []fleet.Held{}
	for _, h := range hs.byKey {
		if h.stale(now) {
			continue
		}
		out = append(out, fleet.Held{
			Code: h.code, Address: h.subject.addr.String(), Device: h.subject.device,
			Reason: reasons[h.reason], Since: h.since, Released: h.active(now),
		})
	}
	slices.SortFunc(out, func(a, b fleet.Held) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Code, b.Code))
	})
	return out
}
