package screen

import (
	"io"
	"os"
	"sync"
	"time"
)

// stream is a Device over a reader and a writer that know no deadlines: the standard
// streams of a process that has no console.
type stream struct {
	out    io.WriteCloser
	chunks chan []byte
	ended  chan struct{} // closed by Close
	over   chan struct{} // closed at the end of the input

	once     sync.Once
	mu       sync.Mutex
	deadline time.Time
	rest     []byte
}

// OpenStream returns a terminal that reads keys from in and shows pages on out, 80
// columns wide and 24 lines high, like a serial line.
func OpenStream(in io.Reader, out io.WriteCloser) *Terminal {
	s := &stream{out: out, chunks: make(chan []byte), ended: make(chan struct{}), over: make(chan struct{})}
	go s.pump(in)
	return NewTerminal("stream", true, s, func() (w, h int) { return 80, 24 })
}

// pump reads until the input ends; after Close at the latest with the next bytes.
func (s *stream) pump(in io.Reader) {
	defer close(s.over)
	for {
		buf := make([]byte, 256)
		n, err := in.Read(buf)
		if n > 0 {
			select {
			case s.chunks <- buf[:n]:
			case <-s.ended:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// SetReadDeadline implements Device.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	return nil
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		s.mu.Lock()
		left := time.Until(s.deadline)
		s.mu.Unlock()
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case s.rest = <-s.chunks:
		case <-timer.C:
			return 0, os.ErrDeadlineExceeded
		case <-s.ended:
			return 0, os.ErrClosed
		case <-s.over:
			return 0, os.ErrClosed
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) { return s.out.Write(p) }

// Close ends reading. The writer stays open: it is the process's.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.ended) })
	return nil
}
