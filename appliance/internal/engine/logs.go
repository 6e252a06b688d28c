package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Limits of one log report.
const (
	maxLogLines = 2000
	logSync     = time.Second // at most so often a log is forced to the disk
)

// storedLine is a log line as its file holds it. A line's number for readers is its
// place in the file, from 1; the device's own numbers begin anew in each epoch.
type storedLine struct {
	Epoch  int64     `json:"e"`
	Number int64     `json:"k"`
	Time   time.Time `json:"t"`
	Level  string    `json:"l,omitempty"` // empty: info
	Step   string    `json:"s,omitempty"`
	Text   string    `json:"x"`
}

// logFile is the open log of a deployment.
type logFile struct {
	file  *appendFile
	lines int64
	epoch int64
	kept  int64   // the device's number of the last line in epoch
	full  bool    // the note that the log is full stands at its end
	index []int64 // where every indexStep-th line begins, so that readers need not begin at the start
}

// indexStep is how many lines lie between two entries of the index.
const indexStep = 500

// count notes one more line, which begins at an offset in the file.
func (l *logFile) count(offset int64) {
	if l.lines%indexStep == 0 {
		l.index = append(l.index, offset)
	}
	l.lines++
}

func (e *Engine) logPath(id string) string { return filepath.Join(e.dir, id+".jsonl") }

// Logs appends a device's log lines to its deployment's file. Numbers that were
// kept before are left out, so a report may be repeated. Secrets are masked and
// control characters shown. Beyond the cap lines are dropped and the answer says
// Full. An ended deployment still takes the rest of its lines.
//
// Errors: ErrNotFound, ErrStale, *FieldError, ErrTooLarge, state.ErrFull.
func (e *Engine) Logs(ctx context.Context, token fleet.Token, id string, batch wire.LogBatch) (wire.LogAnswer, error) {
	if len(batch.Lines) > maxLogLines {
		return wire.LogAnswer{}, fmt.Errorf("%w: %d lines in one report; send %d at most", ErrTooLarge, len(batch.Lines), maxLogLines)
	}
	for i, line := range batch.Lines {
		if line.Number < 1 || (i > 0 && line.Number <= batch.Lines[i-1].Number) {
			return wire.LogAnswer{}, &FieldError{Field: fmt.Sprintf("lines[%d].n", i), Detail: "numbers rise, from 1"}
		}
	}
	s, err := e.lock(id)
	if err != nil {
		return wire.LogAnswer{}, err
	}
	defer s.mu.Unlock()
	var d fleet.Deployment
	err = e.opts.Store.View(func(tx *state.Tx) error {
		d, err = ownDeployment(tx, token, id)
		return err
	})
	if err != nil {
		return wire.LogAnswer{}, err
	}
	if batch.Epoch != d.Epoch {
		return wire.LogAnswer{}, fmt.Errorf("%w (epoch %d was sent, %d is the present one)", ErrStale, batch.Epoch, d.Epoch)
	}
	if err := e.openLog(s, d.Epoch); err != nil {
		return wire.LogAnswer{}, err
	}
	e.heard(s, nil)
	return e.appendLog(ctx, s, batch.Lines)
}

// openLog opens the log and finds, from its last line, what was kept of the epoch.
func (e *Engine) openLog(s *session, epoch int64) error {
	if s.log == nil {
		l := &logFile{}
		var last []byte
		var err error
		l.file, err = openAppend(e.logPath(s.id), header{Slipway: "deployment-log", Deployment: s.id}, e.opts.LogCap, func(offset int64, line []byte) {
			l.count(offset)
			last = line
		})
		if err != nil {
			return err
		}
		var line storedLine
		if len(last) > 0 && json.Unmarshal(last, &line) == nil {
			l.epoch, l.kept, l.full = line.Epoch, line.Number, line.Text == fullNote
		}
		s.log = l
	}
	if s.log.epoch != epoch {
		s.log.epoch, s.log.kept = epoch, 0
	}
	return nil
}

const fullNote = "The log of this deployment is full; later lines are not kept."

func (e *Engine) appendLog(ctx context.Context, s *session, lines []wire.LogLine) (wire.LogAnswer, error) {
	l := s.log
	var text []byte
	var begins []int64
	kept, filled := l.kept, l.full
	for _, line := range lines {
		if line.Number <= kept || filled {
			continue
		}
		stored := s.stored(line)
		encoded, err := json.Marshal(stored)
		if err != nil {
			return wire.LogAnswer{}, fmt.Errorf("write a log line: %w", err)
		}
		if !l.file.room(len(text) + len(encoded) + noteRoom) {
			filled = true
			if encoded, err = json.Marshal(storedLine{Epoch: l.epoch, Number: line.Number, Time: e.opts.Now(), Level: "warn", Text: fullNote}); err != nil {
				return wire.LogAnswer{}, fmt.Errorf("write a log line: %w", err)
			}
		}
		begins = append(begins, l.file.size+int64(len(text)))
		text = append(append(text, encoded...), '\n')
		kept = line.Number
	}
	if len(text) > 0 {
		if err := l.file.append(text); err != nil {
			return wire.LogAnswer{}, err
		}
		if err := l.file.syncAfter(e.opts.Now(), logSync); err != nil {
			e.opts.Logger.WarnContext(ctx, "deployment log was not synced", "deployment", s.id, "error", err)
		}
	}
	l.kept, l.full = kept, filled
	for _, offset := range begins {
		l.count(offset)
	}
	if len(begins) > 0 {
		e.hub.publish(Update{Kind: UpdateLog, DeploymentID: s.id, LastLine: l.lines})
	}
	answer := wire.LogAnswer{Kept: kept, Full: filled}
	if n := len(lines); filled && n > 0 {
		answer.Kept = max(kept, lines[n-1].Number) // dropped ones are not to be sent again
	}
	return answer, nil
}

// noteRoom is kept free for the note that the log is full.
const noteRoom = 512

// stored masks and cleans a line.
func (s *session) stored(line wire.LogLine) storedLine {
	out := storedLine{Epoch: s.log.epoch, Number: line.Number, Time: line.Time,
		Step: clean(line.Step, tasksequence.MaxPath), Text: clean(s.masker.Mask(line.Text), maxText)}
	switch line.Level {
	case "debug", "warn", "error":
		out.Level = line.Level
	}
	return out
}

func (l *logFile) sync() error  { return full(l.file.file.Sync()) }
func (l *logFile) close() error { return l.file.close() }

// ReadLog returns up to n lines with numbers from on, and the number of the last
// line there is. Numbers rise by one through the whole deployment, from 1.
func (e *Engine) ReadLog(id string, from int64, n int) (lines []fleet.LogLine, last int64, err error) {
	if _, err := e.deployment(id); err != nil {
		return nil, 0, err
	}
	offset, number := e.logOffset(id, from)
	text, err := readFrom(e.logPath(id), offset)
	if err != nil {
		return nil, 0, err
	}
	if offset == 0 {
		_, text, _ = bytes.Cut(text, []byte("\n")) // the header
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // being written at this moment
		}
		number++
		if number < from || len(lines) >= n {
			continue
		}
		lines = append(lines, readLine(line, number))
	}
	return lines, number, nil
}

// logOffset returns where to begin reading for a line, and the number of the line
// before that place. Only the log of a deployment that reports now has an index.
func (e *Engine) logOffset(id string, from int64) (offset, before int64) {
	e.mu.Lock()
	s := e.sessions[id]
	e.mu.Unlock()
	if s == nil || from <= indexStep {
		return 0, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil || len(s.log.index) == 0 {
		return 0, 0
	}
	entry := min((from-1)/indexStep, int64(len(s.log.index)-1))
	return s.log.index[entry], entry * indexStep
}

func readLine(text []byte, number int64) fleet.LogLine {
	var stored storedLine
	if err := json.Unmarshal(text, &stored); err != nil {
		return fleet.LogLine{Number: number, Level: "warn", Text: "This line of the log is damaged."}
	}
	if stored.Level == "" {
		stored.Level = "info"
	}
	return fleet.LogLine{Number: number, Time: stored.Time, Level: stored.Level, Step: stored.Step, Text: stored.Text}
}
