package imaging

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"slipway/agent/wire"
)

const (
	magicFrame = 0xfd2fb528
	magicHole  = 0x184d2a5b // of the skippable frame that stands for zeros (wire.FormHoles)
)

// maxFrame bounds a packed frame: data that cannot be packed grows a little.
const maxFrame = wire.ChunkSize + 64<<10

var errFrame = errors.New("this is no image with holes, or it is damaged")

// holes reads the form wire.FormHoles.
type holes struct {
	r       *bufio.Reader
	decoder *zstd.Decoder
	packed  []byte
	plain   []byte
	rest    []byte // of plain, not handed out yet
}

func newHoles(r io.Reader) (*holes, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(wire.ChunkSize), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, fmt.Errorf("unpack zstd: %w", err)
	}
	return &holes{r: bufio.NewReaderSize(r, 256<<10), decoder: d}, nil
}

func (h *holes) close() { h.decoder.Close() }

// next implements pieces.
func (h *holes) next(p []byte) (int, int64, error) {
	for len(h.rest) == 0 {
		head, err := h.r.Peek(4)
		if err == io.EOF && len(head) == 0 {
			return 0, 0, io.EOF
		}
		if err != nil {
			return 0, 0, short(err)
		}
		switch magic := binary.LittleEndian.Uint32(head); {
		case magic == magicHole:
			if n, err := h.hole(); err != nil || n > 0 {
				return 0, n, err
			}
		case magic == magicFrame:
			if err := h.frame(); err != nil {
				return 0, 0, err
			}
		default:
			return 0, 0, errFrame
		}
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, 0, nil
}

func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (h *holes) hole() (int64, error) {
	var b [16]byte
	if _, err := io.ReadFull(h.r, b[:]); err != nil {
		return 0, short(err)
	}
	n := binary.LittleEndian.Uint64(b[8:])
	if binary.LittleEndian.Uint32(b[4:]) != 8 || n > 1<<62 {
		return 0, errFrame
	}
	return int64(n), nil
}

// frame reads one frame by its blocks' lengths (RFC 8878, 3.1.1) and unpacks it.
func (h *holes) frame() error {
	head, err := h.r.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return err
	}
	var header zstd.Header
	if err := header.Decode(head); err != nil {
		return errFrame
	}
	h.packed = h.packed[:0]
	if err := h.take(header.HeaderSize); err != nil {
		return err
	}
	for last := false; !last; {
		if err := h.take(3); err != nil {
			return err
		}
		at := len(h.packed) - 3
		b := uint32(h.packed[at]) | uint32(h.packed[at+1])<<8 | uint32(h.packed[at+2])<<16
		last = b&1 == 1
		size := int(b >> 3)
		if b>>1&3 == 1 { // one byte, repeated
			size = 1
		}
		if err := h.take(size); err != nil {
			return err
		}
	}
	if header.HasCheckSum {
		if err := h.take(4); err != nil {
			return err
		}
	}
	if h.plain, err = h.decoder.DecodeAll(h.packed, h.plain[:0]); err != nil {
		return fmt.Errorf("unpack zstd: %w", err)
	}
	h.rest = h.plain
	return nil
}

// take reads n more bytes of the frame.
func (h *holes) take(n int) error {
	at := len(h.packed)
	if at+n > maxFrame {
		return errFrame
	}
	if cap(h.packed) < at+n {
		h.packed = append(make([]byte, 0, maxFrame), h.packed...)
	}
	h.packed = h.packed[:at+n]
	if _, err := io.ReadFull(h.r, h.packed[at:]); err != nil {
		return short(err)
	}
	return nil
}
