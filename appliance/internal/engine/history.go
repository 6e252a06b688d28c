package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"slipway/agent/wire"
	"slipway/fleet"
	"slipway/tasksequence"
)

// historyCap bounds the file of one deployment's events, in bytes.
const historyCap = 8 << 20

// HistoryEvent is one event as the history tells it. Variables are not in it.
type HistoryEvent struct {
	Epoch   int64     `json:"e"`
	Number  int64     `json:"n"`
	Time    time.Time `json:"t"` // as the device had it
	Kind    string    `json:"kind"`
	Path    string    `json:"path,omitempty"`
	Status  string    `json:"status,omitempty"`
	Message string    `json:"message,omitempty"`
	Target  string    `json:"target,omitempty"`
	Digest  string    `json:"d"` // of the event as it came, to know it again
}

// history is the file of a deployment's events and, in memory, the digests of the
// present epoch's last ones, by which a repeated number is told from a different
// event. What a power cut takes from the file is known by its number alone.
type history struct {
	file    *appendFile
	epoch   int64
	digests map[int64]string
}

// digestWindow is how many events of an epoch are known by their content. A device
// repeats what was not acknowledged: at most one batch.
const digestWindow = 4 * maxBatch

func (e *Engine) historyPath(id string) string { return filepath.Join(e.dir, id+".events.jsonl") }

// openHistory opens the history of the present epoch; s.mu is held.
func (e *Engine) openHistory(s *session, d fleet.Deployment) error {
	if s.history != nil && s.history.epoch == d.Epoch {
		return nil
	}
	if s.history != nil {
		if err := s.history.close(); err != nil {
			return err
		}
		s.history = nil
	}
	h := &history{epoch: d.Epoch, digests: map[int64]string{}}
	var err error
	h.file, err = openAppend(e.historyPath(d.ID), header{Slipway: "deployment-events", Deployment: d.ID}, historyCap, func(_ int64, line []byte) {
		var event HistoryEvent
		if json.Unmarshal(line, &event) == nil && event.Epoch == d.Epoch && event.Number <= d.Kept {
			h.remember(event.Number, event.Digest)
		}
	})
	if err != nil {
		return err
	}
	s.history = h
	return nil
}

func (h *history) remember(number int64, digest string) {
	h.digests[number] = digest
	delete(h.digests, number-digestWindow)
}

// same reports whether an event that was kept is this one, as far as is known.
func (h *history) same(event wire.Event) bool {
	known, ok := h.digests[event.Number]
	return !ok || known == digest(event)
}

func (h *history) close() error { return h.file.close() }

// digest identifies an event's content.
func digest(event wire.Event) string {
	text, err := json.Marshal(event)
	if err != nil { // a RawMessage that is not JSON cannot come out of decoding
		text = fmt.Appendf(nil, "%#v", event)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// appendHistory writes recorded events down. The record in the state is the truth,
// so a failure here is logged and no more.
func (e *Engine) appendHistory(ctx context.Context, s *session, epoch int64, events []wire.Event, masker *tasksequence.Masker) {
	var lines []byte
	for _, event := range events {
		h := HistoryEvent{Epoch: epoch, Number: event.Number, Time: event.Time, Kind: clean(event.Kind, maxShort),
			Path: clean(event.Path, tasksequence.MaxPath), Status: clean(event.Status, maxShort),
			Message: clean(masker.Mask(event.Message), maxMessage), Target: clean(event.Target, maxShort), Digest: digest(event)}
		if r := event.Result; r != nil {
			h.Status, h.Message = clean(r.Status, maxShort), clean(masker.Mask(r.Message), maxMessage)
		}
		s.history.remember(event.Number, h.Digest)
		line, err := json.Marshal(h)
		if err != nil {
			e.opts.Logger.WarnContext(ctx, "event cannot be written down", "deployment", s.id, "error", err)
			continue
		}
		lines = append(append(lines, line...), '\n')
	}
	if !s.history.file.room(len(lines)) {
		return
	}
	if err := s.history.file.append(lines); err != nil {
		e.opts.Logger.WarnContext(ctx, "history of events was not written", "deployment", s.id, "error", err)
	}
}

// History returns up to n events of a deployment, from the from-th one (from 0) in
// the order in which they were recorded.
func (e *Engine) History(id string, from, n int) ([]HistoryEvent, error) {
	if _, err := e.deployment(id); err != nil {
		return nil, err
	}
	text, err := readFrom(e.historyPath(id), 0)
	if err != nil {
		return nil, err
	}
	_, text, _ = bytes.Cut(text, []byte("\n")) // the header
	var events []HistoryEvent
	for line := range bytes.Lines(text) {
		if from > 0 {
			from--
			continue
		}
		if len(events) == n {
			break
		}
		var event HistoryEvent
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &event) == nil {
			events = append(events, event)
		}
	}
	return events, nil
}

// readFrom returns a file's text from an offset on; nothing when there is no file yet.
func readFrom(path string, offset int64) ([]byte, error) {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open a deployment's file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.NewSectionReader(file, offset, 1<<62))
	if err != nil {
		return nil, fmt.Errorf("read a deployment's file: %w", err)
	}
	return text, nil
}
