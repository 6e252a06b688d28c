package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"slipway/ui/internal/view"
)

const (
	batchEvery   = 250 * time.Millisecond // at most 4 batches a second
	commentEvery = 15 * time.Second
	writeLimit   = 10 * time.Second // a browser that takes longer is gone
	logBatch     = 500              // lines in one message
	streamsMost  = 256              // open at once, over all accounts
)

// streamEvents is the one live stream of a page: "/events?topics=…&since=…".
// An event's id is the position it leads to, so a browser that comes back says
// where it was (Last-Event-ID) and misses nothing.
func (c *Console) streamEvents(v *visit) error {
	if !c.hub.enter(streamsMost) {
		v.w.Header().Set("Retry-After", "30")
		http.Error(v.w, "too many open pages", http.StatusServiceUnavailable)
		return nil
	}
	defer c.hub.leave()
	s := &stream{c: c, v: v, out: http.NewResponseController(v.w), topics: parseTopics(v.query("topics")), sent: map[string]string{}}
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	s.start()
	err := s.run(v.ctx())
	if err != nil && v.ctx().Err() == nil && !errors.Is(err, errStreamOver) {
		c.log.InfoContext(v.ctx(), "a live stream ended", "error", err)
	}
	return nil // the answer has begun: no error page can follow
}

var errStreamOver = errors.New("the stream is over")

// stream is one open /events.
type stream struct {
	c      *Console
	v      *visit
	out    *http.ResponseController
	topics topics
	after  uint64 // position reached
	reset  bool   // the browser's position means nothing any more
	line   int64  // log lines sent up to here
	sent   map[string]string
}

// start reads where the browser is: "epoch-sequence" or "epoch-sequence.line".
func (s *stream) start() {
	at := s.v.r.Header.Get("Last-Event-ID")
	if at == "" {
		at = s.v.query("since")
	}
	position, line, _ := strings.Cut(at, ".")
	if n, err := strconv.ParseInt(line, 10, 64); err == nil && n > 0 {
		s.line = n
	}
	var ok bool
	s.after, ok = s.c.hub.parse(position)
	s.reset = !ok
}

func (s *stream) run(ctx context.Context) error {
	if s.reset {
		return s.sayReset()
	}
	if err := s.write(": hello\nretry: 3000\n\n"); err != nil {
		return err
	}
	if err := s.sendLog(ctx); err != nil {
		return err
	}
	comment := time.NewTicker(commentEvery)
	defer comment.Stop()
	spoken := time.Now()
	for {
		keys, now, wake, lost := s.c.hub.since(s.after)
		if lost {
			return s.sayReset()
		}
		if len(keys) > 0 {
			if err := s.send(ctx, keys, now); err != nil {
				return err
			}
			wake = nil // look again after the pause: more may have come
		}
		if err := wait(ctx, wake, comment.C); err != nil {
			return err
		}
		if time.Since(spoken) >= commentEvery {
			if err := s.stillHere(ctx); err != nil {
				return err
			}
			spoken = time.Now()
		}
	}
}

// wait pauses so that batches stay apart (nil wake), or until something changes
// or a comment is due.
func wait(ctx context.Context, wake <-chan struct{}, comment <-chan time.Time) error {
	if wake != nil {
		select {
		case <-ctx.Done():
			return errStreamOver
		case <-wake:
		case <-comment:
		}
		return nil
	}
	pause := time.NewTimer(batchEvery)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return errStreamOver
	case <-pause.C:
		return nil
	}
}

// stillHere keeps proxies from closing a quiet stream.
func (s *stream) stillHere(ctx context.Context) error {
	if err := s.stillSignedIn(ctx); err != nil {
		return err
	}
	return s.write(": still here\n\n")
}

// stillSignedIn ends the stream of somebody who signed out elsewhere.
func (s *stream) stillSignedIn(ctx context.Context) error {
	cookie, err := s.v.r.Cookie(sessionCookie)
	if err != nil {
		return errStreamOver
	}
	if _, _, err := s.c.backend.Sessions.Session(ctx, cookie.Value); err != nil {
		_ = s.write("event: signedout\ndata: {}\n\n") // over either way
		return errStreamOver
	}
	return nil
}

// send writes what changed, leaving out values the browser has already.
func (s *stream) send(ctx context.Context, keys []changeKey, now uint64) error {
	b, err := s.c.patches(ctx, s.topics, keys, s.c.now())
	if err != nil {
		return err
	}
	s.after = now
	b.Patches = s.news(b.Patches)
	for _, k := range keys {
		if k.kind == ChangeLog && k.id == s.topics.log {
			if err := s.sendLog(ctx); err != nil {
				return err
			}
		}
	}
	if b.empty() {
		return nil
	}
	return s.event("patch", b)
}

// news drops the fields that were sent before with the same value.
func (s *stream) news(all []patch) []patch {
	var out []patch
	for _, p := range all {
		f := view.Fields{}
		for name, field := range p.F {
			text, err := json.Marshal(field)
			if err != nil || s.sent[p.Key+" "+name] == string(text) {
				continue
			}
			if len(s.sent) >= 4*hubMemory {
				clear(s.sent) // costs sending some values twice
			}
			s.sent[p.Key+" "+name] = string(text)
			f[name] = field
		}
		if len(f) > 0 {
			p.F = f
			out = append(out, p)
		}
	}
	return out
}

// sendLog writes the lines after the last one sent.
func (s *stream) sendLog(ctx context.Context) error {
	if s.topics.log == "" {
		return nil
	}
	for {
		lines, last, err := s.c.backend.Deployments.Log(ctx, s.topics.log, s.line+1, logBatch)
		if errors.Is(err, ErrNotFound) || err == nil && len(lines) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		s.line = lines[len(lines)-1].Number
		if err := s.event("patch", batch{Now: view.Stamp(s.c.now()), Lines: lines, Last: last}); err != nil {
			return err
		}
		if s.line >= last {
			return nil
		}
	}
}

func (s *stream) sayReset() error {
	if err := s.write("event: reset\ndata: {}\n\n"); err != nil {
		return err
	}
	return errStreamOver
}

func (s *stream) event(name string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("writing a live message: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %s-%d.%d\nevent: %s\ndata: %s\n\n", s.c.hub.epoch, s.after, s.line, name, text)
	return s.write(b.String())
}

// write sends at once. The deadline is this message's own, whatever the server
// allows for a whole answer, and is taken away afterwards: over HTTP/2 one that
// passes ends the stream even while nothing is being written.
func (s *stream) write(text string) error {
	if err := s.deadline(time.Now().Add(s.c.writeLimit)); err != nil {
		return err
	}
	if _, err := s.v.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	return s.deadline(time.Time{})
}

func (s *stream) deadline(at time.Time) error {
	if err := s.out.SetWriteDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
