package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"slipway/agent/internal/durable"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Journal keeps what the appliance has not acknowledged over a restart of the agent:
// results of steps that ended, restarts, and lines of the log.
type Journal interface {
	Keep(e Entries) error
	Kept() (Entries, error) // of no deployment when nothing is kept
}

// Entries are what a journal keeps of one deployment.
type Entries struct {
	Format      int            `json:"format"`
	Deployment  string         `json:"deployment"`
	Epoch       int64          `json:"epoch"`
	Environment string         `json:"environment,omitempty"` // where the agent ran; older agents leave it out
	Events      []wire.Event   `json:"events,omitempty"`
	Lines       []wire.LogLine `json:"lines,omitempty"`
}

// Restart returns the restart that a run ended with and that was not acknowledged.
func (e Entries) Restart() (wire.Event, bool) {
	if last := len(e.Events) - 1; last >= 0 && e.Events[last].Kind == wire.EventRebooting {
		return e.Events[last], true
	}
	return wire.Event{}, false
}

const (
	journalFormat = 1
	maxKeptLines  = 1 << 20 // bytes of log lines in a journal
	pendingEpochs = 3       // starts for which a restart counts as pending: the disk may hold an outdated journal, and must not restart the device for ever
)

// JournalFile is a Journal in one file, which is whole or not there: power may fail.
// It holds what steps said, secret variables included, so its folder is private.
type JournalFile struct{ Path string }

// Keep implements Journal.
func (j JournalFile) Keep(e Entries) error {
	e.Format = journalFormat
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(j.Path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(j.Path), filepath.Base(j.Path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), j.Path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return durable.Folder(filepath.Dir(j.Path)) // or a power loss brings the journal before back
}

// Kept implements Journal.
func (j JournalFile) Kept() (e Entries, err error) {
	text, err := os.ReadFile(j.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err == nil && e.Format != journalFormat {
		err = fmt.Errorf("format %d is not known", e.Format)
	}
	if err != nil {
		return Entries{}, fmt.Errorf("read the journal of reports: %w", err)
	}
	return e, nil
}

// replay takes up what the agent's last run could not report: the results of steps
// that had ended, which therefore do not run again, and the last lines of the log. A
// step that the record or a later run knows better is left alone. It returns the
// restart that the run ended with, if that is still to be done.
func (r *Runner) replay(d wire.Deployment) (pending steps.Restart, ok bool) {
	if r.Journal == nil {
		return pending, false
	}
	kept, err := r.Journal.Kept()
	if err != nil {
		r.log("warn", "", err.Error())
		return pending, false
	}
	r.report.outdate(kept)
	if kept.Deployment != d.ID || kept.Epoch >= d.Epoch { // a lost answer makes more than one epoch of a start
		return pending, false
	}
	r.report.relog(kept.Lines)
	events, restart := r.unfinishedRestart(kept, d.Epoch)
	begun := map[string]time.Time{}
	for _, result := range d.Results {
		begun[result.Path] = result.Started
	}
	var again []wire.Event
	for _, e := range events {
		if e.Kind != wire.EventStepFinished || e.Result == nil || begun[e.Path].After(e.Result.Ended) { // begun anew by a run that did not have this journal
			continue
		}
		result := tasksequence.Result{Path: e.Path, Status: e.Result.Status, ExitCode: e.Result.ExitCode, Message: e.Result.Message}
		if r.run.Record(result) != nil {
			continue
		}
		r.taken(e.Variables)
		again = append(again, e)
		r.log("info", e.Path, e.Name+": had ended before the agent was started again")
	}
	if restart != nil {
		again = append(again, *restart)
		pending, ok = steps.Restart{Target: restart.Target, Staged: restart.Staged, Message: restart.Message}, true
		r.log("info", "", "the restart that had been asked for is still to be done")
	}
	if len(again) > 0 {
		r.report.Event(again...) // at once, so that no part is lost with the next power cut
	}
	r.masker = tasksequence.NewMasker(r.vars.Secrets())
	return pending, ok
}

// unfinishedRestart returns the events to take up, and the restart at their end unless the
// device has come to where it leads. A Windows PE that was put onto the disk has been taken
// back by now: that step runs again.
func (r *Runner) unfinishedRestart(kept Entries, epoch int64) (events []wire.Event, restart *wire.Event) {
	e, ok := kept.Restart()
	if !ok || kept.Epoch < epoch-pendingEpochs {
		return kept.Events, nil
	}
	switch here := r.environment(); {
	case kept.Environment != here && (e.Target == tasksequence.RebootDisk) == (here == tasksequence.FullOS):
		return kept.Events, nil
	case e.Staged != "":
		return kept.Events[:max(0, len(kept.Events)-2)], nil
	}
	return kept.Events, &e
}

// taken sets the variables that a step had set.
func (r *Runner) taken(variables []wire.Variable) {
	for _, w := range variables {
		var v tasksequence.Value
		if json.Unmarshal(w.Value, &v) != nil {
			continue
		}
		v.Secret = w.Secret
		if err := r.vars.SetSystem(w.Name, v); err != nil {
			r.log("warn", "", err.Error())
		}
	}
}

// keep writes the journal when what it has to hold has changed; with lines at the end
// of a run.
func (r *Reporter) keep(lines bool) {
	if r.journal == nil {
		return
	}
	r.journalMu.Lock()
	defer r.journalMu.Unlock()
	e := Entries{Deployment: r.deployment, Epoch: r.epoch, Environment: r.environment}
	r.mu.Lock()
	for _, event := range r.events {
		if event.Kind == wire.EventStepFinished || event.Kind == wire.EventRebooting {
			e.Events = append(e.Events, event)
		}
	}
	if lines {
		e.Lines = lastLines(r.logs)
	}
	if errors.Is(r.failed, ErrRefused) { // the appliance will not take them the next time either
		e.Events, e.Lines = nil, nil
	}
	r.mu.Unlock()
	same := slices.EqualFunc(e.Events, r.journaled, func(a, b wire.Event) bool { return a.Number == b.Number })
	if same && len(e.Lines) == 0 && !r.outdated {
		return
	}
	if err := r.journal.Keep(e); err != nil {
		r.Log("warn", "", "reports are not kept over a restart: "+err.Error())
		return
	}
	r.journaled, r.outdated = e.Events, len(e.Lines) > 0
}

// outdate notes that the journal holds something of an earlier run, which has to go.
func (r *Reporter) outdate(kept Entries) {
	r.journalMu.Lock()
	r.outdated = len(kept.Events)+len(kept.Lines) > 0
	r.journalMu.Unlock()
}

// lastLines are the newest lines that a journal takes.
func lastLines(lines []wire.LogLine) []wire.LogLine {
	size, first := 0, len(lines)
	for first > 0 && size < maxKeptLines {
		first--
		size += len(lines[first].Text) + lineOverhead
	}
	return slices.Clone(lines[first:])
}

// relog queues lines again, with the time at which they were written.
func (r *Reporter) relog(lines []wire.LogLine) {
	r.mu.Lock()
	for _, line := range lines {
		r.append(line)
	}
	r.mu.Unlock()
	r.poke()
}
