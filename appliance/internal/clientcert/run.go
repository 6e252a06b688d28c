package clientcert

import (
	"context"
	"time"

	"slipway/fleet"
)

// tendEvery is how often Run looks whether a list is due.
const tendEvery = 15 * time.Second

// Run fetches revocation lists again before they run out, until ctx ends.
// settings gives those in force.
func (v *Verifier) Run(ctx context.Context, settings func() (fleet.CertificateSignIn, error)) error {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		s, err := settings()
		if err == nil {
			err = v.tend(ctx, s)
		}
		if err != nil && ctx.Err() == nil {
			v.log.DebugContext(ctx, "revocation lists are not fresh", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tend fetches what is due, and removes what is kept for another URL.
func (v *Verifier) tend(ctx context.Context, s fleet.CertificateSignIn) error {
	if v.fetcher.dir != "" {
		if err := cleanCache(v.fetcher.dir, s.CRLURL); err != nil {
			return err
		}
	}
	if !s.Enabled || s.CRLURL == "" {
		return nil
	}
	pool, _, err := v.parsed.get(s)
	if err != nil {
		return err
	}
	src := v.fetcher.source(ctx, s.CRLURL)
	if !src.due(v.now()) {
		return nil
	}
	return v.fetcher.refresh(ctx, src, pool, false)
}
