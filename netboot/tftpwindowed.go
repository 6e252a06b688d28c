package netboot

import (
	"context"
	"errors"
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
)

// windowed is the state of a transfer that we send ourselves.
type windowed struct {
	acks chan uint16   // what the client acknowledged; the newest are dropped when it is full
	over chan struct{} // closed when the transfer is cancelled
}

func newWindowed() *windowed {
	return &windowed{acks: make(chan uint16, 32), over: make(chan struct{})}
}

func (w *windowed) acknowledged(number uint16) {
	select {
	case w.acks <- number:
	default: // the sender is behind by dozens: the timeout sorts it out
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
	w := newTFTPWindow(t.file, t.file.Size, t.request.block(), t.request.window)
	started := s.cfg.Now()
	if err := s.window(ctx, t, w); err != nil {
		s.count.tftpFailed.Add(1)
		s.log.Debug("TFTP transfer ended early", "client", t.peer.String(), "file", t.request.name, "err", err)
		s.sent(ctx, t.peer, s.transfers.Send(refuseEnded.marshal(), t.peer, 0, t.local))
		return
	}
	s.count.tftpCompleted.Add(1)
	s.log.Info("TFTP transfer done", "client", t.peer.String(), "file", t.request.name, "bytes", t.file.Size,
		"window", t.request.window, "duration", s.cfg.Now().Sub(started).Round(time.Millisecond).String())
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
		s.sent(ctx, t.peer, s.transfers.SendBatch(packets, w.packet(), t.peer, t.local))
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
				return errGivenUp
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
