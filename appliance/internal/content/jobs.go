package content

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/fleet"
)

// The states of a job.
const (
	JobRunning = "running"
	JobDone    = "done"
	JobFailed  = "failed"
)

// Job is work that takes long: an import or a verification. Jobs are forgotten when
// the appliance restarts; what they had not finished leaves nothing behind.
type Job struct {
	ID        string                `json:"id"`
	Kind      string                `json:"kind"` // import, verify
	Name      string                `json:"name"` // of the item
	Stage     string                `json:"stage"`
	Done      int64                 `json:"done"`  // bytes
	Total     int64                 `json:"total"` // bytes; 0: not known
	Status    string                `json:"status"`
	Error     string                `json:"error,omitempty"`
	Version   *fleet.ContentVersion `json:"version,omitempty"` // what an import made
	Damage    []Damage              `json:"damage,omitempty"`  // what a verification found
	StartedAt time.Time             `json:"startedAt"`
	EndedAt   time.Time             `json:"endedAt,omitzero"`
	Actor     string                `json:"actor"`
	err       error
}

// Bounds of jobs.
const (
	maxRunning  = 4  // at a time; more are refused
	keptJobs    = 50 // remembered
	maxDamage   = 1000
	kindImport  = "import"
	kindVerify  = "verify"
	stageRead   = "Reading"
	stageMake   = "Converting"
	stageFetch  = "Downloading"
	stageVerify = "Verifying"
	stageUnpack = "Unpacking"
)

type jobs struct {
	mu       sync.Mutex
	list     []*running // oldest first
	watchers watchers
}

// running is a job at work.
type running struct {
	mu   sync.Mutex
	job  Job
	stop context.CancelFunc
	over chan struct{}

	watchers *watchers
	told     time.Time // when watchers were told of progress
}

func (r *running) snapshot() Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.job
	j.Damage = slices.Clone(j.Damage)
	return j
}

// stage begins a part of the work of total bytes, 0 when that is not known.
func (r *running) stage(name string, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.Stage, r.job.Done, r.job.Total = name, 0, total
	r.tell(true)
}

func (r *running) add(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.Done += n
	r.tell(false)
}

// reached says how far a part of the work is, of total bytes.
func (r *running) reached(done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.Done, r.job.Total = done, total
	r.tell(false)
}

// start runs work as a job. It ends with the service, or when it is cancelled.
func (s *Service) start(kind, name string, by Actor, work func(ctx context.Context, r *running) error) (Job, error) {
	ctx, stop := context.WithCancel(s.ctx)
	r := &running{stop: stop, over: make(chan struct{}), watchers: &s.jobs.watchers, job: Job{ID: s.o.NewID(), Kind: kind, Name: name, Status: JobRunning, StartedAt: s.o.Now(), Actor: by.Name}}
	if err := s.jobs.add(r); err != nil {
		stop()
		return Job{}, err
	}
	s.wg.Go(func() {
		defer close(r.over)
		defer stop()
		err := work(ctx, r)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.job.EndedAt, r.job.Status, r.job.err = s.o.Now(), JobDone, err
		if err != nil {
			r.job.Status, r.job.Error = JobFailed, strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": ")
			s.o.Logger.WarnContext(ctx, "work on content failed", "kind", kind, "name", name, "error", err)
		}
		r.tell(true)
	})
	return r.snapshot(), nil
}

func (j *jobs) add(r *running) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	busy := 0
	for _, other := range j.list {
		if other.snapshot().Status == JobRunning {
			busy++
		}
	}
	if busy >= maxRunning {
		return fmt.Errorf("%w: %d imports and verifications are under way", ErrBusy, busy)
	}
	j.list = append(j.list, r)
	for i := 0; len(j.list) > keptJobs && i < len(j.list); {
		if j.list[i].snapshot().Status == JobRunning {
			i++
			continue
		}
		j.list = slices.Delete(j.list, i, i+1)
	}
	return nil
}

func (j *jobs) find(id string) (*running, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.list {
		if r.job.ID == id { // never changes
			return r, nil
		}
	}
	return nil, fmt.Errorf("%w: no job %q (they are forgotten when the appliance restarts)", ErrNotFound, id)
}

// Jobs returns the jobs that are remembered, newest first.
func (s *Service) Jobs() []Job {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	var out []Job
	for _, r := range slices.Backward(s.jobs.list) {
		out = append(out, r.snapshot())
	}
	return out
}

// Job returns a job as it stands.
func (s *Service) Job(id string) (Job, error) {
	r, err := s.jobs.find(id)
	if err != nil {
		return Job{}, err
	}
	return r.snapshot(), nil
}

// Wait returns a job when it is over or ctx ends, with its error.
func (s *Service) Wait(ctx context.Context, id string) (Job, error) {
	r, err := s.jobs.find(id)
	if err != nil {
		return Job{}, err
	}
	select {
	case <-ctx.Done():
		return r.snapshot(), ctx.Err()
	case <-r.over:
	}
	j := r.snapshot()
	return j, j.err
}

// Cancel stops a job. What it had made is removed.
func (s *Service) Cancel(id string) error {
	r, err := s.jobs.find(id)
	if err == nil {
		r.stop()
	}
	return err
}
