package netboot

import (
	"context"
	"errors"
	"sync"
	"time"
)

var (
	errSilent  = errors.New("the client is silent")
	errGivenUp = errors.New("the client gave up, or made room")
)

// The waits of windowed transfers: the first is the client's timeout option, or a
// second; each further one for the same block is twice as long.
const (
	longestWindowWait = 8 * time.Second
	windowRetries     = 6
	// repeatAfter tells a client that misses a block, and says so after some time, from
	// an acknowledgement that was doubled on its way. iPXE waits 250 ms.
	repeatAfter = 100 * time.Millisecond
)

// windowed is the state of a transfer that we send ourselves.
type windowed struct {
	acks  chan uint16   // what the client acknowledged; the newest are dropped when it is full
	over  chan struct{} // closed when the transfer is cancelled
	steps *steps        // not nil: block by block, each sent where its acknowledgement is read
}

func newWindowed() *windowed {
	return &windowed{acks: make(chan uint16, 32), over: make(chan struct{})}
}

func (w *windowed) acknowledged(number uint16) {
	if w.steps != nil {
		w.steps.acknowledged(number)
		return
	}
	select {
	case w.acks <- number:
	default: // the sender is behind by dozens: the timeout sorts it out
	}
}

// steps sends a file block by block. The next block goes out from the goroutine
// that reads the acknowledgement: waking another one for each block costs more than
// the block.
type steps struct {
	send func(packet []byte)

	mu       sync.Mutex
	w        *tftpWindow
	sentAt   time.Time
	moved    bool // since the last look of watch
	err      error
	finished chan struct{} // closed when done or failed
	ended    bool
}

func newSteps(w *tftpWindow, send func([]byte)) *steps {
	return &steps{send: send, w: w, finished: make(chan struct{})}
}

// next sends the block that stands next; the caller holds mu.
func (s *steps) next() {
	packet, err := s.w.next()
	if err != nil {
		s.end(err)
		return
	}
	s.sentAt = time.Now()
	s.send(packet)
}

func (s *steps) end(err error) {
	if !s.ended {
		s.ended, s.err = true, err
		close(s.finished)
	}
}

func (s *steps) acknowledged(number uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	before := s.w.base
	again := s.w.acknowledge(number)
	if again && s.w.base == before && time.Since(s.sentAt) < repeatAfter {
		// Each answer to a doubled one would double the next, up to the file's end
		// (RFC 1123, 4.2.3.1).
		s.w.asked = false
		return
	}
	s.moved = s.moved || s.w.base != before
	switch {
	case s.w.done():
		s.end(nil)
	case again:
		s.next()
	}
}

// watch sends the block again while the client is silent, and returns how the
// transfer ended.
func (s *steps) watch(ctx context.Context, first time.Duration, over <-chan struct{}) error {
	s.mu.Lock()
	s.next()
	s.mu.Unlock()
	wait := first
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for tries := 0; ; {
		select {
		case <-s.finished:
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.err
		case <-over:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.end(errGivenUp) // unless the client has everything already
			return s.err
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		s.mu.Lock()
		switch {
		case s.moved:
			s.moved, tries, wait = false, 0, first
		case tries >= windowRetries:
			s.end(errSilent)
		default:
			tries++
			wait = min(2*wait, longestWindowWait)
			s.w.asked = false
			s.next()
		}
		s.mu.Unlock()
		timer.Reset(wait)
	}
}

// sendWindows runs a transfer until the client has everything, gives up or is
// silent for too long.
func (s *tftpServer) sendWindows(ctx context.Context, t *tftpTransfer) {
	s.count.tftpStarted.Add(1)
	s.count.tftpActive.Add(1)
	defer func() {
		s.slots.release(t)
		s.count.tftpActive.Add(-1)
		t.close()
	}()
	started := s.cfg.Now()
	var err error
	if t.window.steps != nil {
		err = t.window.steps.watch(ctx, t.request.wait(), t.window.over)
	} else {
		err = s.window(ctx, t, s.cut(t))
	}
	if err != nil {
		s.count.tftpFailed.Add(1)
		s.log.Debug("TFTP transfer ended early", "client", t.peer.String(), "file", t.request.name, "err", err)
		// A client that gave up may have asked anew from the same port, and would take
		// the error as the answer.
		if !errors.Is(err, errGivenUp) {
			s.sent(ctx, t.peer, t.socket.Send(refuseEnded.marshal(), t.peer, 0, t.local))
		}
		return
	}
	s.count.tftpCompleted.Add(1)
	s.log.Info("TFTP transfer done", "client", t.peer.String(), "file", t.request.name, "bytes", t.file.Size,
		"window", t.request.window, "duration", s.cfg.Now().Sub(started).Round(time.Millisecond).String())
}

// cut prepares the file of a transfer.
func (s *tftpServer) cut(t *tftpTransfer) *tftpWindow {
	return newTFTPWindow(t.file, t.file.Size, t.request.block(), t.request.window)
}

// startSteps prepares a transfer without windows, before its first acknowledgement
// is read.
func (s *tftpServer) startSteps(ctx context.Context, t *tftpTransfer) {
	source := sourceMessage(t.local)
	t.window.steps = newSteps(s.cut(t), func(p []byte) { s.sent(ctx, t.peer, t.socket.sendFrom(p, t.peer, source)) })
}

// window sends window after window.
func (s *tftpServer) window(ctx context.Context, t *tftpTransfer, w *tftpWindow) error {
	first := t.request.wait()
	wait := first
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for tries := 0; ; {
		packets, err := w.next()
		if err != nil {
			return err
		}
		s.sent(ctx, t.peer, t.socket.SendBatch(packets, w.packet(), t.peer, t.local))
		timer.Reset(wait)
	waiting:
		for {
			select {
			case number := <-t.window.acks:
				before := w.base
				again := w.acknowledge(number)
				if w.done() {
					return nil
				}
				if w.base != before {
					tries, wait = 0, first
				}
				if again {
					break waiting
				}
			case <-timer.C:
				w.asked = false
				if tries++; tries > windowRetries {
					return errSilent
				}
				wait = min(2*wait, longestWindowWait)
				break waiting
			case <-t.window.over:
				for len(t.window.acks) > 0 { // the client may have everything already
					w.acknowledge(<-t.window.acks)
				}
				if w.done() {
					return nil
				}
				return errGivenUp
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
