package content

import (
	"context"
	"slices"
	"sync"
	"time"
)

// progressEvery is how often those who watch jobs hear of bytes alone.
const progressEvery = 500 * time.Millisecond

// watchers get jobs as they change. The zero value is ready and tells of every byte.
type watchers struct {
	every time.Duration // of progress

	mu  sync.Mutex
	all map[chan Job]struct{}
}

// watchBuffer is how many states wait for a reader; the oldest make room.
const watchBuffer = 64

// Subscribe sends every job whenever it changes, until ctx ends: each stage and its
// end at once, bytes twice a second. A slow reader loses the oldest states.
func (s *Service) Subscribe(ctx context.Context) <-chan Job {
	w := &s.jobs.watchers
	ch := make(chan Job, watchBuffer)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan Job]struct{}{}
	}
	w.all[ch] = struct{}{}
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, ch)
		close(ch)
	})
	return ch
}

// send never blocks.
func (w *watchers) send(j Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.all {
		for sent := false; !sent; {
			select {
			case ch <- j:
				sent = true
			default:
				select {
				case <-ch:
				default:
				}
			}
		}
	}
}

// tell hands the job to those who watch; of bytes alone not more often than
// the watchers want. The caller holds r.mu.
func (r *running) tell(always bool) {
	now := time.Now()
	if !always && now.Sub(r.told) < r.watchers.every {
		return
	}
	r.told = now
	j := r.job
	j.Damage = slices.Clone(j.Damage)
	r.watchers.send(j)
}
