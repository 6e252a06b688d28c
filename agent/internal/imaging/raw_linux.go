package imaging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"slipway/agent/internal/disk"
)

// BlockSize is what is written to a disk at once, in bytes; a multiple of every
// sector size. Blocks at multiples of it that are all zero are not written but
// erased, which a disk can do faster.
const BlockSize = 4 << 20

// buffers is how many blocks are on their way to the disk.
const buffers = 4

// RawOptions say how a raw image is written.
type RawOptions struct {
	Holes    bool  // the form wire.FormHoles
	Size     int64 // of the image unpacked, where somebody knows it; else 0
	Verify   bool  // read back what was written
	Discard  bool  // first tell the disk that nothing on it is used
	Progress func(stage string, done, total int64)
}

// The stages of RawOptions.Progress.
const (
	StageWriting   = "writing"
	StageVerifying = "verifying"
)

// Written says what was put on the disk.
type Written struct {
	Size int64 // of the image, bytes
	Data int64 // of it that was not zero and had to be written
}

// ErrTooLarge says that the image does not fit on the disk.
var ErrTooLarge = errors.New("the image does not fit on the disk")

// WriteRaw puts a raw disk image, packed or not, on a disk. Where the image's size
// is known it is checked before the first byte is written. Everything is on the
// medium when it returns.
func WriteRaw(ctx context.Context, r io.Reader, t disk.Target, o RawOptions) (Written, error) {
	source, size, end, err := open(r, o)
	if err != nil {
		return Written{}, err
	}
	defer end()
	if size > t.Size() {
		return Written{}, fmt.Errorf("%w: it has %s, the disk %s; nothing was written", ErrTooLarge, disk.Bytes(size), disk.Bytes(t.Size()))
	}
	if o.Discard {
		if err := t.Discard(0, t.Size()); err != nil {
			return Written{}, fmt.Errorf("clear the disk: %w", err)
		}
	}
	memory, err := alignedBuffers(buffers)
	if err != nil {
		return Written{}, fmt.Errorf("get memory for writing: %w", err)
	}
	defer func() { _ = memory.free() }()
	w := newRawWriter(ctx, t, memory, o, size)
	err = w.copy(source)
	err = errors.Join(err, w.finish())
	if err != nil {
		return w.done, plain(err)
	}
	if size > 0 && w.done.Size != size {
		return w.done, fmt.Errorf("the image ended after %d of %d bytes", w.done.Size, size)
	}
	if err := t.Sync(); err != nil {
		return w.done, fmt.Errorf("flush the disk: %w", err)
	}
	if o.Verify {
		err = w.verify(ctx, memory.all[0])
	}
	return w.done, err
}

// plain keeps the first of several errors: what failed first made the others.
func plain(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
		return many.Unwrap()[0]
	}
	return err
}

// pieces is an unpacked image: data, or the length of a run of zeros.
type pieces interface {
	// next fills p, or says how many zeros come. io.EOF comes alone, at the end.
	next(p []byte) (n int, zeros int64, err error)
}

func open(r io.Reader, o RawOptions) (pieces, int64, func(), error) {
	if o.Holes {
		h, err := newHoles(r)
		if err != nil {
			return nil, 0, nil, err
		}
		return h, o.Size, h.close, nil
	}
	s, err := Unpack(r)
	if err != nil {
		return nil, 0, nil, err
	}
	size := o.Size
	if size == 0 && s.Size > 0 {
		size = s.Size
	}
	return full{s}, size, s.Close, nil
}

// full is an image without holes.
type full struct{ r io.Reader }

func (f full) next(p []byte) (int, int64, error) {
	n, err := io.ReadFull(f.r, p)
	if n > 0 && (errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF) {
		err = nil
	}
	return n, 0, err
}

// job is a block on its way to the disk.
type job struct {
	buffer []byte // whole
	n      int    // bytes of it
	at     int64
}

type sum struct {
	at  int64
	n   int
	sum [sha256.Size]byte
}

// rawWriter collects pieces into blocks. Two goroutines write them; they end in
// finish.
type rawWriter struct {
	ctx    context.Context
	stop   context.CancelCauseFunc
	target disk.Target
	o      RawOptions
	total  int64
	free   chan []byte
	full   chan job
	wait   sync.WaitGroup
	done   Written

	block []byte // being filled
	fill  int
	at    int64 // where block goes

	mu    sync.Mutex
	sums  []sum // of written blocks, for verifying
	zeros [][2]int64
}

func newRawWriter(ctx context.Context, t disk.Target, memory *alignedMemory, o RawOptions, total int64) *rawWriter {
	w := &rawWriter{target: t, o: o, total: total, free: make(chan []byte, buffers), full: make(chan job, buffers)}
	w.ctx, w.stop = context.WithCancelCause(ctx)
	for _, b := range memory.all {
		w.free <- b
	}
	for range 2 {
		w.wait.Go(w.write)
	}
	return w
}

func (w *rawWriter) write() {
	for j := range w.full {
		if w.ctx.Err() == nil {
			if err := w.put(j); err != nil {
				w.stop(err)
			}
		}
		w.free <- j.buffer
	}
}

func (w *rawWriter) put(j job) error {
	sector := w.target.SectorSize()
	length := (j.n + sector - 1) / sector * sector // the rest of the last sector is zeros
	clear(j.buffer[j.n:length])
	if _, err := w.target.WriteAt(j.buffer[:length], j.at); err != nil {
		return fmt.Errorf("write to the disk at %s: %w", disk.Bytes(j.at), err)
	}
	if w.o.Verify {
		s := sum{at: j.at, n: length, sum: sha256.Sum256(j.buffer[:length])}
		w.mu.Lock()
		w.sums = append(w.sums, s)
		w.mu.Unlock()
	}
	return nil
}

// copy reads the image to its end.
func (w *rawWriter) copy(source pieces) error {
	w.block = <-w.free
	for {
		if err := context.Cause(w.ctx); err != nil {
			return err
		}
		n, zeros, err := source.next(w.block[w.fill:w.limit()])
		if err == io.EOF {
			return w.flush()
		}
		if err != nil {
			return fmt.Errorf("read the image after %s: %w", disk.Bytes(w.done.Size), err)
		}
		if zeros < 0 || zeros > w.target.Size() || w.done.Size+int64(n)+zeros > w.target.Size() {
			return fmt.Errorf("%w: it has more than the disk's %s; what was there is partly overwritten", ErrTooLarge, disk.Bytes(w.target.Size()))
		}
		if err := w.take(n, zeros); err != nil {
			return err
		}
		if w.o.Progress != nil {
			w.o.Progress(StageWriting, w.done.Size, w.total)
		}
	}
}

func (w *rawWriter) take(n int, zeros int64) error {
	w.done.Size += int64(n) + zeros
	if zeros > 0 {
		return w.skip(zeros)
	}
	if w.fill += n; w.fill == w.limit() {
		return w.flush()
	}
	return nil
}

// unit is what can be erased on every disk, in bytes.
const unit = 4096

// skip puts zeros: into the block up to the next multiple of unit, then by erasing,
// the rest into the next block.
func (w *rawWriter) skip(zeros int64) error {
	pad := min(zeros, int64((unit-w.fill%unit)%unit))
	if err := w.pad(pad); err != nil {
		return err
	}
	zeros -= pad
	if whole := zeros / unit * unit; whole > 0 {
		if err := w.flush(); err != nil {
			return err
		}
		if err := w.erase(w.at, whole); err != nil {
			return err
		}
		w.at += whole
		zeros -= whole
	}
	return w.pad(zeros)
}

// pad puts n zeros, fewer than unit, into the block.
func (w *rawWriter) pad(n int64) error {
	clear(w.block[w.fill : w.fill+int(n)])
	w.fill += int(n)
	if w.fill == w.limit() {
		return w.flush()
	}
	return nil
}

// limit is how much goes into the block, so that the next one begins at a multiple
// of BlockSize.
func (w *rawWriter) limit() int { return BlockSize - int(w.at%BlockSize) }

func (w *rawWriter) erase(at, n int64) error {
	if err := w.target.Zero(at, n); err != nil {
		return fmt.Errorf("erase the disk at %s: %w", disk.Bytes(at), err)
	}
	if w.o.Verify {
		if last := len(w.zeros) - 1; last >= 0 && w.zeros[last][0]+w.zeros[last][1] == at {
			w.zeros[last][1] += n
		} else {
			w.zeros = append(w.zeros, [2]int64{at, n})
		}
	}
	return nil
}

// flush hands the block over, or erases its place when it is all zero, and takes
// the next one.
func (w *rawWriter) flush() error {
	if w.fill == 0 {
		return nil
	}
	n, at := w.fill, w.at
	w.at += int64(n)
	w.fill = 0
	if n%unit == 0 && zero(w.block[:n]) {
		return w.erase(at, int64(n))
	}
	w.done.Data += int64(n)
	w.full <- job{buffer: w.block, n: n, at: at}
	w.block = nil // the writer's now
	select {
	case w.block = <-w.free:
		return nil
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
}

// finish waits for the writers.
func (w *rawWriter) finish() error {
	close(w.full)
	w.wait.Wait()
	err := context.Cause(w.ctx)
	w.stop(nil)
	return err
}

// verify reads back what was written and what was erased.
func (w *rawWriter) verify(ctx context.Context, buffer []byte) error {
	done := int64(0)
	check := func(at int64, n int, right func([]byte) bool) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := w.target.ReadAt(buffer[:n], at); err != nil {
			return fmt.Errorf("read back at %s: %w", disk.Bytes(at), err)
		}
		if !right(buffer[:n]) {
			return fmt.Errorf("the disk does not hold what was written to it: it differs at %s (byte %d)", disk.Bytes(at), at)
		}
		if done += int64(n); w.o.Progress != nil {
			w.o.Progress(StageVerifying, min(done, w.done.Size), w.done.Size)
		}
		return nil
	}
	for _, s := range w.sums {
		err := check(s.at, s.n, func(p []byte) bool { h := sha256.Sum256(p); return bytes.Equal(h[:], s.sum[:]) })
		if err != nil {
			return err
		}
	}
	for _, z := range w.zeros {
		for at, end := z[0], z[0]+z[1]; at < end; at += BlockSize {
			if err := check(at, int(min(BlockSize, end-at)), zero); err != nil {
				return err
			}
		}
	}
	return nil
}
