package imaging

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"slipway/agent/internal/disk"
)

// job is a block on its way to the disk.
type job struct {
	buffer []byte // whole
	n      int    // bytes of it
	at     int64
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
