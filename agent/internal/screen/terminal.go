package screen

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Device is the line to a terminal: a tty, or one end of a pipe in tests.
type Device interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
}

// Terminal is one console that shows pages and sends keys.
type Terminal struct {
	Name   string
	Serial bool
	device Device
	size   func() (w, h int)
	frames chan *Canvas // oldest is dropped when the line is too slow
	input  sync.Mutex   // held while reading: whoever else wants the line takes it
	output sync.Mutex   // held while writing
	render *Renderer    // under output
	plain  atomic.Bool  // it has no half blocks
	forget atomic.Bool  // the next frame is written whole
}

const (
	frameQueue = 32                     // frames a slow line may lag behind
	readSlice  = 250 * time.Millisecond // how long a read holds the line
	escapeWait = 60 * time.Millisecond  // after which a lone ESC is a key
)

// NewTerminal returns a terminal over a device.
func NewTerminal(name string, serial bool, device Device, size func() (w, h int)) *Terminal {
	return &Terminal{Name: name, Serial: serial, device: device, size: size,
		frames: make(chan *Canvas, frameQueue), render: NewRenderer(serial)}
}

// show queues a frame without ever waiting for the line.
func (t *Terminal) show(c *Canvas) {
	for {
		select {
		case t.frames <- c:
			return
		default:
		}
		select {
		case <-t.frames:
		default:
		}
	}
}

// repaint makes the next frame be written whole. It never waits for the line, whose
// output may be stopped.
func (t *Terminal) repaint() { t.forget.Store(true) }

// write sends queued frames until ctx ends.
func (t *Terminal) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-t.frames:
			t.output.Lock()
			if t.forget.Swap(false) {
				t.render.Forget()
			}
			_, _ = t.device.Write(t.render.Frame(c))
			t.output.Unlock()
		}
	}
}

type input struct {
	terminal *Terminal
	key      Key
}

// read sends keys to out until ctx ends or the line is closed.
func (t *Terminal) read(ctx context.Context, out chan<- input) {
	decoder := NewDecoder()
	buf := make([]byte, 256)
	for ctx.Err() == nil {
		wait := readSlice
		if decoder.Pending() {
			wait = escapeWait
		}
		t.input.Lock()
		_ = t.device.SetReadDeadline(time.Now().Add(wait))
		n, err := t.device.Read(buf)
		t.input.Unlock()
		keys := decoder.Feed(buf[:max(n, 0)])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			keys = append(keys, decoder.Flush()...)
		case errors.Is(err, os.ErrClosed), errors.Is(err, io.ErrClosedPipe):
			return
		case err != nil: // a line that hung up: look again later
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		for _, k := range keys {
			if k.Code == Report {
				t.plain.Store(notUTF8(k.Rune)) // with the next frame, in a second at most
				continue
			}
			select {
			case out <- input{t, k}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// lend stops reading and writing while fn uses the line for itself.
func (t *Terminal) lend(fn func()) {
	t.input.Lock()
	defer t.input.Unlock()
	t.output.Lock()
	defer t.output.Unlock()
	fn()
	if l, ok := t.device.(interface{ Reopen() error }); ok {
		_ = l.Reopen() // should it fail, the other consoles go on
	}
	t.render.Forget()
}
