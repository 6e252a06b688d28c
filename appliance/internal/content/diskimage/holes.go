package diskimage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"slipway/agent/wire"
)

// Of wire.FormHoles.
const (
	holeMagic = 0x184D2A5B
	minHole   = 64 << 10 // a shorter run of zeros is left to the compression
	unit      = 4 << 10  // in which zeros are looked for
)

// WriteHoles writes an image in the form wire.FormHoles. progress is told how many
// bytes of the disk have passed since it was last called.
func WriteHoles(ctx context.Context, img Image, w io.Writer, progress func(n int64)) error {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	defer encoder.Close()
	h := &holes{w: w, encoder: encoder, progress: progress}
	for pos := int64(0); pos < img.Size(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		start, end, err := img.Data(pos)
		if err != nil {
			return err
		}
		if start < pos || end < start || end > img.Size() || start != img.Size() && end <= pos {
			return errors.New("the image's ranges make no sense")
		}
		h.skip(start - pos)
		if err := h.data(ctx, img, start, end); err != nil {
			return err
		}
		pos = max(end, start)
	}
	return h.flushHole()
}

// holes writes data and holes in their order.
type holes struct {
	w        io.Writer
	encoder  *zstd.Encoder
	progress func(int64)
	hole     int64  // zeros that are not written yet
	parts    []part // blocks that wait for being compressed together
}

// part is a run of data, or of zeros when data is nil.
type part struct {
	data []byte
	zero int64
	done []byte // data compressed
}

func (h *holes) skip(n int64) {
	h.hole += n
	if h.progress != nil {
		h.progress(n)
	}
}

// data writes a range of the image, a few blocks at a time.
func (h *holes) data(ctx context.Context, img Image, start, end int64) error {
	batch := int64(runtime.GOMAXPROCS(0)) * wire.ChunkSize
	for at := start; at < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf := make([]byte, min(batch, end-at))
		if n, err := img.ReadAt(buf, at); n < len(buf) {
			return fmt.Errorf("read the image at byte %d: %w", at, err)
		}
		for rest := buf; len(rest) > 0; {
			block := rest[:min(len(rest), wire.ChunkSize)]
			h.split(block)
			rest = rest[len(block):]
		}
		if err := h.flush(); err != nil {
			return err
		}
		at += int64(len(buf))
		if h.progress != nil {
			h.progress(int64(len(buf)))
		}
	}
	return nil
}

// split cuts a block into runs of data and of zeros.
func (h *holes) split(block []byte) {
	var zeros [minHole]byte
	from := 0
	for at := 0; at < len(block); {
		n := zeroRun(block[at:], zeros[:])
		if n >= minHole || n > 0 && at+n == len(block) && at == 0 {
			h.add(block[from:at])
			h.parts = append(h.parts, part{zero: int64(n)})
			from = at + n
		}
		at += max(n, unit)
	}
	h.add(block[min(from, len(block)):])
}

func (h *holes) add(data []byte) {
	if len(data) > 0 {
		h.parts = append(h.parts, part{data: data})
	}
}

// zeroRun is how many bytes from the beginning are zeros, in whole units.
func zeroRun(p, zeros []byte) (n int) {
	for n < len(p) {
		size := min(unit, len(p)-n)
		if !bytes.Equal(p[n:n+size], zeros[:size]) {
			break
		}
		n += size
	}
	return n
}

// flush compresses the parts side by side and writes them in their order.
func (h *holes) flush() error {
	var all sync.WaitGroup
	for i := range h.parts {
		if p := &h.parts[i]; p.data != nil {
			all.Go(func() { p.done = h.encoder.EncodeAll(p.data, nil) })
		}
	}
	all.Wait()
	for _, p := range h.parts {
		if p.data == nil {
			h.hole += p.zero
			continue
		}
		if err := h.flushHole(); err != nil {
			return err
		}
		if _, err := h.w.Write(p.done); err != nil {
			return err
		}
	}
	h.parts = h.parts[:0]
	return nil
}

func (h *holes) flushHole() error {
	if h.hole == 0 {
		return nil
	}
	var frame [16]byte
	binary.LittleEndian.PutUint32(frame[0:], holeMagic)
	binary.LittleEndian.PutUint32(frame[4:], 8)
	binary.LittleEndian.PutUint64(frame[8:], uint64(h.hole)) //nolint:gosec // never negative
	h.hole = 0
	_, err := h.w.Write(frame[:])
	return err
}
