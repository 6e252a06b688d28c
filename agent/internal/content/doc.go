// Package content brings content items from the appliance to whoever consumes them.
// Every piece is compared with the version's manifest before any of it is handed out,
// nothing is kept on the way, and an appliance that is away is waited for: a transfer
// goes on where it was.
package content

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// ErrDamaged says that what the appliance sent is not what the manifest says.
var ErrDamaged = errors.New("the content is not what its manifest says: verify it on the appliance (slipway content verify)")

// Source implements steps.Content for one deployment.
type Source struct {
	API        *client.Client
	Deployment string
	// Waiting is told why a transfer does not move, and nil when it moves again. It
	// may be called by several goroutines; nil: nobody is told.
	Waiting func(why error)

	mu        sync.Mutex
	manifests map[string]wire.ContentManifest // by "id:version": versions never change
	backoff   func() *client.Backoff          // tests are impatient
	stall     time.Duration
}

var _ steps.Content = (*Source)(nil)

// stallAfter is how long a transfer may stand still before it begins anew.
const stallAfter = time.Minute

// Manifest implements steps.Content.
func (s *Source) Manifest(ctx context.Context, version tasksequence.Reference) (m wire.ContentManifest, err error) {
	s.mu.Lock()
	m, ok := s.manifests[version.String()]
	s.mu.Unlock()
	if ok {
		return m, nil
	}
	err = s.patiently(ctx, func(ctx context.Context) error {
		m, err = s.API.ContentManifest(ctx, version.ID, version.Version)
		return err
	})
	if err == nil {
		err = m.Check()
	}
	if err != nil {
		return m, fmt.Errorf("content %s: %w", version, explain(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manifests == nil {
		s.manifests = map[string]wire.ContentManifest{}
	}
	s.manifests[version.String()] = m
	return m, nil
}

// Find implements steps.Content.
func (s *Source) Find(ctx context.Context, q wire.ContentQuery) ([]wire.ContentVersion, error) {
	var out wire.ContentAnswer
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		out, err = s.API.FindContent(ctx, s.Deployment, q)
		return err
	})
	return out.Content, err
}

// patiently repeats a call while the appliance is away.
func (s *Source) patiently(ctx context.Context, call func(context.Context) error) error {
	p := s.patience()
	for {
		err := call(ctx)
		if err == nil {
			p.moved()
			return nil
		}
		if err := p.wait(ctx, err); err != nil {
			return err
		}
	}
}

// finalError is trouble that waiting does not mend.
type finalError struct{ err error }

func (e finalError) Error() string { return e.err.Error() }
func (e finalError) Unwrap() error { return e.err }

// patience decides whether a failure is waited out, and tells it.
type patience struct {
	s       *Source
	backoff *client.Backoff
	told    bool
}

func (s *Source) patience() *patience {
	p := &patience{s: s, backoff: client.NewBackoff()}
	if s.backoff != nil {
		p.backoff = s.backoff()
	}
	return p
}

// wait returns the error when it is one for good, else nil after a while.
func (p *patience) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var final finalError
	if errors.As(err, &final) || !client.Temporary(err) || client.Status(err) == http.StatusInsufficientStorage {
		p.moved()
		return err
	}
	if p.s.Waiting != nil {
		p.s.Waiting(err)
		p.told = true
	}
	return client.Wait(ctx, p.backoff.Next(client.Wish(err)))
}

// moved notes that the appliance answers.
func (p *patience) moved() {
	p.backoff.Reset()
	if p.told {
		p.told = false
		p.s.Waiting(nil)
	}
}

// explain adds what to do to errors that people see.
func explain(err error) error {
	if noSpace(err) {
		return fmt.Errorf("this device has no room for it where it is put, in memory or on its disk: %w", err)
	}
	if client.Word(err) == "damaged" {
		return fmt.Errorf("%w (the appliance says: %w)", ErrDamaged, err)
	}
	return err
}
