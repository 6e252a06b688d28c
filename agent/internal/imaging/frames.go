package imaging

import (
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// frameSize is how much goes into one zstd frame, in bytes. Frames are packed beside
// each other, one per CPU; any zstd reads them as one stream.
const frameSize = 4 << 20

// maxWorkers bounds memory: each holds a frame, packed and not.
const maxWorkers = 8

// The strengths of compression.
const (
	Fast    = "fast"
	Default = "default"
	Best    = "best"
)

// frames packs what is written to it into w, in order. Its methods are called by one
// goroutine; Close ends all that it started.
type frames struct {
	encoder *zstd.Encoder
	block   []byte
	queue   chan chan []byte // results in their order
	slots   chan []byte      // blocks for the next frames
	over    chan struct{}
	err     error // of the writing, once over
}

func newFrames(w io.Writer, strength string) (*frames, error) {
	level := map[string]zstd.EncoderLevel{Fast: zstd.SpeedFastest, "": zstd.SpeedFastest, Default: zstd.SpeedDefault, Best: zstd.SpeedBetterCompression}[strength]
	if level == 0 {
		return nil, fmt.Errorf("there is no strength of compression %q", strength)
	}
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(workers), zstd.WithEncoderLevel(level))
	if err != nil {
		return nil, fmt.Errorf("pack zstd: %w", err)
	}
	f := &frames{encoder: e, queue: make(chan chan []byte, workers), slots: make(chan []byte, workers+1), over: make(chan struct{})}
	for range workers + 1 {
		f.slots <- nil
	}
	go f.write(w) // ends with Close
	return f, nil
}

// write writes the results in order. After an error it goes on taking them, so that
// nobody waits for ever.
func (f *frames) write(w io.Writer) {
	defer close(f.over)
	for result := range f.queue {
		packed := <-result
		if f.err == nil {
			_, f.err = w.Write(packed)
		}
	}
}

// Write implements io.Writer. It fails at Close when the writer behind it does.
func (f *frames) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if f.block == nil {
			if f.block = <-f.slots; f.block == nil {
				f.block = make([]byte, 0, frameSize)
			}
		}
		take := min(len(p), frameSize-len(f.block))
		f.block = append(f.block, p[:take]...)
		p = p[take:]
		if len(f.block) == frameSize {
			f.pack()
		}
	}
	return n, nil
}

func (f *frames) pack() {
	block, result := f.block, make(chan []byte, 1)
	f.block = nil
	f.queue <- result
	go func() { // ends when the block is packed
		packed := f.encoder.EncodeAll(block, make([]byte, 0, len(block)/2))
		f.slots <- block[:0]
		result <- packed
	}()
}

// Close packs the rest and says whether all was written.
func (f *frames) Close() error {
	if len(f.block) > 0 {
		f.pack()
	}
	close(f.queue)
	<-f.over
	_ = f.encoder.Close()
	return f.err
}
