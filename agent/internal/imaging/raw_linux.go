package imaging

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	source, size, exact, end, err := open(r, o)
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
	if exact && w.done.Size != size {
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

// open says how many bytes the image has, 0 when that is not known, and whether that is
// exact or the least that it has.
func open(r io.Reader, o RawOptions) (source pieces, size int64, exact bool, end func(), err error) {
	if o.Holes {
		h, err := newHoles(r)
		if err != nil {
			return nil, 0, false, nil, err
		}
		return h, o.Size, o.Size > 0, h.close, nil
	}
	s, err := Unpack(r)
	if err != nil {
		return nil, 0, false, nil, err
	}
	if o.Size > 0 || s.Size <= 0 {
		return full{s}, o.Size, o.Size > 0, s.Close, nil
	}
	return full{s}, s.Size, s.Form != Zstd, s.Close, nil
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
