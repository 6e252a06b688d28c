package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// API is what the runner needs of the appliance; client.Client has it.
type API interface {
	Events(ctx context.Context, id string, in wire.EventBatch) (wire.EventAnswer, error)
	Logs(ctx context.Context, id string, in wire.LogBatch) (wire.LogAnswer, error)
}

// Errors that end a run without ending the deployment.
var (
	ErrReload   = errors.New("the appliance's record of this deployment differs: it is loaded again")
	ErrSignedIn = errors.New("the sign-in is not valid any more")
	ErrRefused  = errors.New("the appliance refuses this agent's reports")
)

const (
	heartbeat   = 5 * time.Second
	batchBytes  = 100 << 10 // of events or log lines in one call; the appliance takes 256 KiB
	maxBatch    = 200
	maxLogBytes = 8 << 20 // of lines kept while the appliance does not answer
	maxLineText = 4096
)

// Reporter keeps events and log lines until the appliance has them.
type Reporter struct {
	api         API
	deployment  string
	epoch       int64
	now         func() time.Time
	orders      func([]string)    // called for each answer
	lost        func(since error) // nil: the appliance answers (again)
	watch       func(wire.Event)  // is told each new event; may be nil
	journal     Journal           // may be nil
	environment string            // where the agent runs, for the journal

	journalMu sync.Mutex // taken before mu
	journaled []wire.Event
	outdated  bool // the journal holds what is not in journaled

	mu       sync.Mutex
	events   []wire.Event
	next     int64 // number of the next event
	logs     []wire.LogLine
	logNext  int64
	logBytes int
	dropped  int // lines that went and that the log does not tell of yet
	told     int // of them, those of which the lines on their way tell
	logFull  bool
	progress *wire.Progress
	changed  chan struct{} // closed and renewed at each change of what is kept
	failed   error         // ends the run: ErrReload, ErrSignedIn, ErrRefused
	wake     chan struct{}
}

// NewReporter returns a reporter for one epoch of a deployment.
func NewReporter(api API, deployment string, epoch int64, now func() time.Time, orders func([]string), lost func(error)) *Reporter {
	return &Reporter{api: api, deployment: deployment, epoch: epoch, now: now, orders: orders, lost: lost,
		next: 1, logNext: 1, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// Event queues events and gives them their numbers. Those of one call come into the
// journal together.
func (r *Reporter) Event(list ...wire.Event) {
	r.mu.Lock()
	for i := range list {
		list[i].Number, list[i].Time = r.next, r.now().UTC()
		r.next++
	}
	r.events = append(r.events, list...)
	r.mu.Unlock()
	r.keep(false)
	if r.watch != nil {
		for _, e := range list {
			r.watch(e)
		}
	}
	r.poke()
}

// Log queues a line. When too much is waiting the oldest lines go, and a line
// says how many.
func (r *Reporter) Log(level, step, text string) {
	if len(text) > maxLineText {
		text = text[:maxLineText]
	}
	r.mu.Lock()
	if !r.logFull {
		r.append(wire.LogLine{Time: r.now().UTC(), Level: level, Step: step, Text: text})
	}
	r.mu.Unlock()
	r.poke()
}

func (r *Reporter) append(line wire.LogLine) {
	line.Number = r.logNext
	r.logNext++
	r.logs = append(r.logs, line)
	r.logBytes += len(line.Text) + lineOverhead
	for r.logBytes > maxLogBytes && len(r.logs) > 1 {
		r.logBytes -= len(r.logs[0].Text) + lineOverhead
		r.logs[0] = wire.LogLine{}
		r.logs = r.logs[1:]
		r.dropped++
	}
}

// lineOverhead is what a line's JSON takes beside its text, roughly.
const lineOverhead = 120

// Progress replaces the progress that the next call tells.
func (r *Reporter) Progress(p wire.Progress) {
	r.mu.Lock()
	r.progress = &p
	r.mu.Unlock()
}

func (r *Reporter) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run reports until ctx ends or the appliance refuses for good.
func (r *Reporter) Run(ctx context.Context) error {
	backoff := client.NewBackoff()
	backoff.Longest = 15 * time.Second
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-r.wake:
		}
		err := r.report(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fatal := fatalError(err); fatal != nil {
			r.fail(fatal)
			return fatal
		}
		wait := heartbeat
		if err != nil {
			r.lost(err)
			wait = backoff.Next(0)
			if err := client.Wait(ctx, wait); err != nil { // a wake-up must not shorten the back-off
				return err
			}
			wait = 0
		} else {
			r.lost(nil)
			backoff.Reset()
		}
		timer.Reset(wait)
	}
}

// report sends everything that waits, in batches; at least a heartbeat.
func (r *Reporter) report(ctx context.Context) error {
	for first := true; ; first = false {
		events := r.eventBatch()
		if len(events.Events) > 0 || first {
			answer, err := r.api.Events(ctx, r.deployment, events)
			if err != nil {
				return err
			}
			r.keptEvents(answer)
		}
		logs := r.logBatch()
		if len(logs.Lines) > 0 {
			answer, err := r.api.Logs(ctx, r.deployment, logs)
			if err != nil {
				return err
			}
			r.keptLogs(logs, answer)
		}
		if len(events.Events) == 0 && len(logs.Lines) == 0 {
			return nil
		}
	}
}

func (r *Reporter) eventBatch() wire.EventBatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := wire.EventBatch{Epoch: r.epoch, Progress: r.progress}
	r.progress = nil
	size := 0
	for _, e := range r.events {
		size += eventSize(e)
		if len(b.Events) > 0 && (size > batchBytes || len(b.Events) >= maxBatch) && e.Kind != wire.EventRebooting {
			break // a restart is recorded with its step, or not at all
		}
		b.Events = append(b.Events, e)
	}
	return b
}

func eventSize(e wire.Event) int {
	size := 300 + len(e.Message)
	for _, v := range e.Variables {
		size += len(v.Name) + len(v.Value) + 30
	}
	return size
}

func (r *Reporter) logBatch() wire.LogBatch {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = r.dropped
	b := wire.LogBatch{Epoch: r.epoch}
	size := 0
	for _, l := range r.logs {
		size += len(l.Text)*2 + lineOverhead // JSON may double a text of quotes
		if len(b.Lines) > 0 && (size > batchBytes || len(b.Lines) >= 5*maxBatch) {
			break
		}
		if len(b.Lines) == 0 && r.told > 0 {
			l.Text = fmt.Sprintf("... %d lines were left out here: the appliance was not reached for too long", r.told+1)
		}
		b.Lines = append(b.Lines, l)
	}
	return b
}

func (r *Reporter) keptEvents(answer wire.EventAnswer) {
	r.mu.Lock()
	for len(r.events) > 0 && r.events[0].Number <= answer.Kept {
		r.events = r.events[1:]
	}
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	r.keep(false)
	if len(answer.Orders) > 0 {
		r.orders(answer.Orders)
	}
}

// keptLogs forgets the lines sent. A full log takes no more lines at all.
func (r *Reporter) keptLogs(sent wire.LogBatch, answer wire.LogAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := answer.Kept
	if answer.Full {
		r.logFull = true
		kept = r.logNext
	} else if last := sent.Lines[len(sent.Lines)-1].Number; kept < last {
		kept = last // taken but not counted: sending them again forever would help nobody
	}
	r.dropped -= r.told
	for _, l := range sent.Lines {
		if len(r.logs) > 0 && l.Number < r.logs[0].Number { // it came all the same
			r.dropped--
		}
	}
	for len(r.logs) > 0 && r.logs[0].Number <= kept {
		r.logBytes -= len(r.logs[0].Text) + lineOverhead
		r.logs[0] = wire.LogLine{}
		r.logs = r.logs[1:]
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Reporter) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
	close(r.changed)
	r.changed = make(chan struct{})
}

// Flush waits until every event so far is kept by the appliance.
func (r *Reporter) Flush(ctx context.Context) error {
	return r.await(ctx, func() bool { return len(r.events) == 0 })
}

// FlushLogs waits until every line so far is kept.
func (r *Reporter) FlushLogs(ctx context.Context) error {
	return r.await(ctx, func() bool { return len(r.logs) == 0 })
}

func (r *Reporter) await(ctx context.Context, done func() bool) error {
	for {
		r.mu.Lock()
		ready, failed, changed := done(), r.failed, r.changed
		r.mu.Unlock()
		switch {
		case ready:
			return nil
		case failed != nil:
			return failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fatalError says which failures no repetition can heal.
func fatalError(err error) error {
	switch status := client.Status(err); status {
	case http.StatusConflict, http.StatusNotFound:
		return ErrReload
	case http.StatusUnauthorized:
		return ErrSignedIn
	case 0, http.StatusTooManyRequests, http.StatusRequestTimeout:
		return nil
	default:
		if status >= 500 {
			return nil
		}
		return errors.Join(ErrRefused, err)
	}
}
