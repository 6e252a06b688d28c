package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// Backoff waits longer after each failure: the full jitter of a doubling limit.
type Backoff struct {
	First, Longest time.Duration
	tries          int
}

// NewBackoff is the back-off of calls to the appliance.
func NewBackoff() *Backoff { return &Backoff{First: time.Second, Longest: 30 * time.Second} }

// Reset starts anew after a success.
func (b *Backoff) Reset() { b.tries = 0 }

// Next is how long to wait now. A server's own wish wins; never less than a
// tenth of the first step, so that a broken answer cannot make us spin.
func (b *Backoff) Next(wish time.Duration) time.Duration {
	limit := b.Longest
	if b.tries < 16 {
		limit = min(b.First<<b.tries, b.Longest)
	}
	b.tries++
	return max(wish, b.First/10+time.Duration(rand.Int64N(int64(limit))))
}

// Temporary reports whether the same call may succeed later: the appliance was
// not reached, is busy, full or restarting.
func Temporary(err error) bool {
	switch s := Status(err); {
	case err == nil:
		return false
	case s == 0:
		return !NotOurs(err)
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout:
		return true
	default:
		return s >= 500
	}
}

// Retry calls fn until it succeeds or fails for good. failed is told every
// temporary failure and may be nil.
func Retry(ctx context.Context, failed func(error), fn func(context.Context) error) error {
	backoff := NewBackoff()
	for {
		err := fn(ctx)
		if err == nil || ctx.Err() != nil || !Temporary(err) {
			return err
		}
		if failed != nil {
			failed(err)
		}
		if err := Wait(ctx, backoff.Next(Wish(err))); err != nil {
			return err
		}
	}
}

// Wish is how long the appliance asks to be left alone after an error; 0 when it
// does not say.
func Wish(err error) time.Duration {
	if e, ok := err.(*Error); ok {
		return min(e.RetryAfter, 5*time.Minute)
	}
	return 0
}

// Wait waits for d or for the end of ctx.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
