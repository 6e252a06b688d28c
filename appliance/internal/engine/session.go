package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// session is what is held in memory of a deployment that is spoken of. Everything
// in it can be made again from state and files.
type session struct {
	id string

	mu        sync.Mutex // serialises reports of one deployment; taken before Engine.mu
	gone      bool       // closed and forgotten: take the session anew
	plan      map[string]planEntry
	masker    *tasksequence.Masker
	secrets   int // what reports added to the masker, see maxSecrets
	log       *logFile
	history   *history
	delivered string // the order that was in an answer

	seenMu   sync.Mutex
	seen     time.Time // last call of the device; zero: not since the start
	progress fleet.Progress
}

// planEntry is what the record needs to know of a node.
type planEntry struct {
	name   string
	number int // N of "Step N of M", for a group that of its first step
	group  bool
}

// session returns the session of a deployment, made if need be.
func (e *Engine) session(id string) (*session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, ok := e.sessions[id]; ok {
		return s, nil
	}
	d, err := e.deployment(id)
	if err != nil {
		return nil, err
	}
	s := &session{id: id, masker: e.maskerFor(d)}
	e.sessions[id] = s
	return s, nil
}

// lock returns the session with its mutex held.
func (e *Engine) lock(id string) (*session, error) {
	for {
		s, err := e.session(id)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		if !s.gone {
			return s, nil
		}
		s.mu.Unlock()
	}
}

// deployment reads the record.
func (e *Engine) deployment(id string) (d fleet.Deployment, err error) {
	err = e.opts.Store.View(func(tx *state.Tx) error {
		d, err = tx.Deployments().Get(id)
		return notFound(err)
	})
	return d, err
}

// notFound translates the state's sentinel into ours.
func notFound(err error) error {
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// paths returns the nodes of the pinned document.
func (e *Engine) paths(s *session, d fleet.Deployment) (map[string]planEntry, error) {
	if s.plan != nil {
		return s.plan, nil
	}
	doc, err := e.document(d.Document)
	if err != nil {
		return nil, err
	}
	parsed, err := tasksequence.ParseDocument(doc)
	if err != nil {
		return nil, err
	}
	plan, err := parsed.Plan()
	if err != nil {
		return nil, fmt.Errorf("the document of deployment %s: %w", d.ID, err)
	}
	paths := make(map[string]planEntry, len(plan.Nodes))
	next := 1
	for _, n := range plan.Nodes {
		if n.Number > 0 {
			next = n.Number
		}
		paths[n.Path] = planEntry{name: n.Node.Name, number: next, group: n.Group}
		if n.Number > 0 {
			next++
		}
	}
	s.plan = paths
	return paths, nil
}

// document returns a pinned document as it is kept, its secrets sealed.
func (e *Engine) document(hash string) (body []byte, err error) {
	err = e.opts.Store.View(func(tx *state.Tx) error {
		doc, err := tx.Documents().Get(hash)
		body = doc.Body
		return notFound(err)
	})
	return body, err
}

// heard notes that the device called, and what it said of its progress.
func (e *Engine) heard(s *session, progress *fleet.Progress) {
	s.seenMu.Lock()
	s.seen = e.opts.Now()
	if progress != nil {
		s.progress = *progress
	}
	s.seenMu.Unlock()
	if progress != nil {
		e.hub.publish(Update{Kind: UpdateProgress, DeploymentID: s.id, Progress: *progress})
	}
}

// LastHeard says when a deployment's device called last; zero when it has not
// since the appliance was started.
func (e *Engine) LastHeard(id string) time.Time {
	e.mu.Lock()
	s := e.sessions[id]
	e.mu.Unlock()
	if s == nil {
		return time.Time{}
	}
	s.seenMu.Lock()
	defer s.seenMu.Unlock()
	return s.seen
}

// Progress returns what the running step last said of its progress.
func (e *Engine) Progress(id string) (fleet.Progress, bool) {
	e.mu.Lock()
	s := e.sessions[id]
	e.mu.Unlock()
	if s == nil {
		return fleet.Progress{}, false
	}
	s.seenMu.Lock()
	defer s.seenMu.Unlock()
	return s.progress, s.progress.DeploymentID != ""
}

func (s *session) forgetProgress() {
	s.seenMu.Lock()
	s.progress = fleet.Progress{}
	s.seenMu.Unlock()
}

// silent reports whether the device has not called for a while. After a start of
// the appliance it is given time to call.
func (e *Engine) silent(id string) bool {
	last := e.LastHeard(id)
	if last.Before(e.started) {
		last = e.started
	}
	return e.opts.Now().Sub(last) >= e.opts.SilentAfter
}

// close releases the files; s.mu is held.
func (s *session) close() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.close())
		s.log = nil
	}
	if s.history != nil {
		errs = append(errs, s.history.close())
		s.history = nil
	}
	return errors.Join(errs...)
}

// sweep lets unobeyed cancellations take effect and closes what is not in use.
func (e *Engine) sweep(ctx context.Context) {
	e.mu.Lock()
	var waiting []string
	for id := range e.waiting {
		waiting = append(waiting, id)
	}
	idle := map[string]*session{}
	for id, s := range e.sessions {
		idle[id] = s
	}
	e.mu.Unlock()
	for _, id := range waiting {
		if !e.silent(id) {
			continue
		}
		if err := e.settleCancel(ctx, id); err != nil {
			e.opts.Logger.ErrorContext(ctx, "cancellation could not be recorded", "deployment", id, "error", err)
		}
	}
	for id, s := range idle {
		e.dropIdle(ctx, id, s)
	}
}

// idleAfter is how long a session is held after the last call, in SilentAfter.
const idleAfter = 10

func (e *Engine) dropIdle(ctx context.Context, id string, s *session) {
	s.seenMu.Lock()
	last := s.seen
	s.seenMu.Unlock()
	if last.Before(e.started) {
		last = e.started
	}
	if e.opts.Now().Sub(last) < idleAfter*e.opts.SilentAfter || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	e.mu.Lock()
	delete(e.sessions, id)
	e.mu.Unlock()
	s.gone = true
	if err := s.close(); err != nil {
		e.opts.Logger.WarnContext(ctx, "closing a deployment's files", "deployment", id, "error", err)
	}
}
