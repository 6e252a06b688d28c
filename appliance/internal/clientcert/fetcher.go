package clientcert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// When a list is fetched again: after three quarters of its time, and so that a
// revocation counts within an hour of its publication.
const (
	longestRefetch  = time.Hour
	shortestRefetch = time.Minute
	firstRetry      = 15 * time.Second // doubles with each failure
	longestRetry    = 15 * time.Minute
)

// fetcher keeps the lists behind the configured URL.
type fetcher struct {
	dir    string
	now    func() time.Time
	log    *slog.Logger
	client *http.Client

	mu     sync.Mutex
	latest *source // of the URL in force
}

func newFetcher(o Options) *fetcher {
	return &fetcher{dir: o.Dir, now: o.Now, log: o.Logger, client: newHTTPClient()}
}

// source is what came from one URL.
type source struct {
	url  string
	gate chan struct{} // holds one while somebody fetches

	mu       sync.Mutex
	lists    []*list
	kept     kept
	failures int
	retry    time.Time // not before
	failed   error     // of the last try; nil: it went well
}

// source finds or makes the source of a URL; what is kept of it on disk is read.
func (f *fetcher) source(ctx context.Context, url string) *source {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.latest != nil && f.latest.url == url {
		return f.latest
	}
	s := &source{url: url, gate: make(chan struct{}, 1), kept: kept{URL: url}}
	f.latest = s
	if f.dir == "" {
		return s
	}
	k, body, err := readCache(f.dir, url)
	if err == nil {
		if s.lists, err = parseLists(body); err == nil {
			s.kept = k
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.log.WarnContext(ctx, "the revocation list is fetched anew", "error", err)
	}
	return s
}

// lists are those behind the URL. When none is current it tries to fetch them,
// once for all who wait, and not more often than the back-off allows; the error
// says why there is none, or none that is current.
func (f *fetcher) lists(ctx context.Context, url string, p *pool) ([]*list, error) {
	s := f.source(ctx, url)
	if lists, ok := s.current(f.now()); ok {
		return lists, nil
	}
	err := f.refresh(ctx, s, p, false)
	lists, _ := s.current(f.now())
	return lists, err
}

// current are the lists at hand, and whether all of them are current.
func (s *source) current(now time.Time) ([]*list, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := len(s.lists) > 0
	for _, l := range s.lists {
		ok = ok && l.current(now)
	}
	return s.lists, ok
}

// due reports whether it is time to look for a newer list.
func (s *source) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lists) == 0 || now.Before(s.kept.Fetched) { // the clock was set back
		return true
	}
	wait := longestRefetch
	for _, l := range s.lists {
		wait = min(wait, l.crl.NextUpdate.Sub(s.kept.Fetched)*3/4)
	}
	return now.Sub(s.kept.Fetched) >= max(wait, shortestRefetch)
}

// refresh fetches, unless somebody did while it waited, or a failure is too fresh;
// with force it always does. The caller's end does not break off what others wait for.
func (f *fetcher) refresh(ctx context.Context, s *source, p *pool, force bool) error {
	began := f.now()
	select {
	case s.gate <- struct{}{}:
		defer func() { <-s.gate }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	k, failed, retry := s.kept, s.failed, s.retry
	done := failed == nil && len(s.lists) > 0 && !k.Fetched.Before(began)
	s.mu.Unlock()
	switch {
	case force:
	case done:
		return nil
	case failed != nil && f.now().Before(retry) && retry.Sub(f.now()) <= longestRetry:
		return failed
	}
	err := f.fetch(context.WithoutCancel(ctx), s, k, p)
	if err != nil {
		err = fmt.Errorf("it could not be fetched: %w", err)
		f.log.WarnContext(ctx, "the revocation list could not be fetched", "url", s.url, "error", err)
	}
	s.settle(err, f.now())
	return err
}

// settle notes how a try went.
func (s *source) settle(err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed = err; err == nil {
		s.failures = 0
		return
	}
	s.retry = now.Add(min(firstRetry<<min(s.failures, 10), longestRetry))
	s.failures++
}

// fetch downloads once and takes over what came. A list that is out of date is
// taken over too, since its entries count, and is an error all the same.
func (f *fetcher) fetch(ctx context.Context, s *source, k kept, p *pool) error {
	next, body, err := download(ctx, f.client, k)
	if err != nil {
		return err
	}
	next.Fetched = f.now().UTC()
	s.mu.Lock()
	lists := s.lists
	s.mu.Unlock()
	if body != nil {
		fresh, err := parseLists(body)
		if err != nil {
			return err
		}
		if err := acceptable(fresh, lists, p, f.now()); err != nil {
			return err
		}
		lists = fresh
	}
	s.mu.Lock()
	s.lists, s.kept = lists, next
	s.mu.Unlock()
	if f.dir != "" && body != nil {
		if err := writeCache(f.dir, next, body); err != nil {
			f.log.WarnContext(ctx, "a fetched revocation list is kept in memory only", "error", err)
		}
	}
	for _, l := range lists {
		if now := f.now(); !l.current(now) {
			return fmt.Errorf("the server's list of %s is for %s to %s", l.issuer(), day(l.crl.ThisUpdate), day(l.crl.NextUpdate))
		}
	}
	return nil
}

// acceptable looks at lists before they replace those at hand. They come over a
// wire that may be plain HTTP: whoever sits on it must not be able to take a good
// list away, or to bring an older one back, by sending another.
func acceptable(fresh, have []*list, p *pool, now time.Time) error {
	for _, l := range fresh {
		if !p.mayHaveSigned(l) {
			return fmt.Errorf("the list of %s is not signed by the authority of that name", l.issuer())
		}
	}
	for _, old := range have {
		i := slices.IndexFunc(fresh, func(l *list) bool { return bytes.Equal(l.crl.RawIssuer, old.crl.RawIssuer) })
		switch {
		case i < 0 && old.current(now):
			return fmt.Errorf("the list of %s is not there any more", old.issuer())
		case i >= 0 && fresh[i].crl.ThisUpdate.Before(old.crl.ThisUpdate):
			return fmt.Errorf("the list of %s is older than the one at hand", old.issuer())
		}
	}
	return nil
}

// mayHaveSigned is false for a list that names an authority of the pool and is
// signed by none of that name. Lists of intermediates that only clients know are
// looked at when a chain is there.
func (p *pool) mayHaveSigned(l *list) bool {
	named := false
	for _, a := range p.all {
		if l.by(a) {
			if l.signedBy(a) {
				return true
			}
			named = true
		}
	}
	return !named
}
