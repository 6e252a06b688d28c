package imaging

import (
	"context"

	"slipway/fleet"
)

// watcher gets the newest state of a build; states between may be left out.
type watcher struct {
	id    string // "" watches all builds
	ch    chan fleet.ImageBuild
	ended bool
}

func (w *watcher) end() {
	if !w.ended {
		w.ended = true
		close(w.ch)
	}
}

// Watch sends the state of a build now and whenever it changes, and closes the
// channel after the last state or when ctx ends. A slow reader sees fewer states,
// never an old one after a newer one, and always the last.
func (s *Service) Watch(ctx context.Context, id string) (<-chan fleet.ImageBuild, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(id)
	if b == nil {
		return nil, ErrUnknownBuild
	}
	w := &watcher{id: id, ch: make(chan fleet.ImageBuild, 1)}
	w.ch <- b.copy()
	if b.status.State != Running || s.closed {
		w.end()
		return w.ch, nil
	}
	s.attach(ctx, w)
	return w.ch, nil
}

// Subscribe sends the state of every build whenever it changes, until ctx ends; a
// slow reader loses the oldest states.
func (s *Service) Subscribe(ctx context.Context) <-chan fleet.ImageBuild {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{ch: make(chan fleet.ImageBuild, 64)}
	if s.closed || ctx.Err() != nil {
		w.end()
		return w.ch
	}
	s.attach(ctx, w)
	return w.ch
}

func (s *Service) attach(ctx context.Context, w *watcher) {
	s.watchers[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, w)
		w.end()
	})
}

// notify hands a build's state to its watchers. The caller holds mu.
func (s *Service) notify(b *build) {
	for w := range s.watchers {
		if w.id != "" && w.id != b.status.ID {
			continue
		}
		w.send(b.copy())
		if w.id != "" && b.status.State != Running {
			delete(s.watchers, w)
			w.end()
		}
	}
}

// send never blocks: when the reader is slow the oldest state makes room.
func (w *watcher) send(b fleet.ImageBuild) {
	for {
		select {
		case w.ch <- b:
			return
		default:
		}
		select {
		case <-w.ch:
		default:
		}
	}
}
