package auth

import (
	"math"
	"time"
)

// rate is a leaky bucket's size and leak. A zero burst means no limit.
type rate struct {
	burst  float64 // failures at once
	perDay float64 // further ones that leak away in a day
}

func (r rate) limited() bool { return r.burst > 0 }

func (r rate) perSecond() float64 { return r.perDay / (24 * time.Hour).Seconds() }

// limits are the caps that hold back whole networks.
type limits struct {
	segment, total rate
}

// guessesPerDay is the cap over all for the weakest accepted passcode.
const guessesPerDay = 2000

// limitsFor follows the strength of the weakest passcode that is accepted (zero when
// none is).
//
// Over all: in any 24 hours at most 2,000 guesses for the weakest accepted
// passcode, twice as many for each bit more, so that the chance to guess it stays
// about the same; no cap from 50 bits on, and none when no passcode is set,
// because there is nothing to guess. Half of a day's guesses may come at once.
//
// A segment may use a quarter of that, between 500 and 20,000 a day, a part of it
// at once: one segment under attack leaves three quarters to all others.
func limitsFor(bits float64) limits {
	perDay := math.Inf(1)
	if bits > 0 && bits < StrongPasscodeBits {
		perDay = guessesPerDay * math.Exp2(max(0, bits-MinPasscodeBits))
	}
	var l limits
	if !math.IsInf(perDay, 1) {
		l.total = rate{burst: perDay / 2, perDay: perDay / 2}
	}
	segment := min(perDay/4, 20000)
	burst := min(segment/5, 200)
	l.segment = rate{burst: burst, perDay: segment - burst}
	return l
}

// Waits of one address or device: the first five failures are free.
const (
	freeFailures = 5
	firstWait    = 5 * time.Second
	longestWait  = time.Minute
	// forgetAfter is how long after its last failure a counter is forgotten. It is
	// longer than the longest wait allows to use: five free failures in 15 minutes
	// are fewer than one a minute.
	forgetAfter = 15 * time.Minute
)

// waitAfter is how long to wait after that many failures: 5, 10, 20, 40, then
// 60 seconds.
func waitAfter(failures int) time.Duration {
	if failures < freeFailures {
		return 0
	}
	return min(firstWait<<min(failures-freeFailures, 10), longestWait)
}
