package wim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// PipableMagic begins an image file that can be read from a pipe: the form of wimlib,
// which writes a copy of the description behind the header, so that a reader knows at
// once what will come (wimlib, "Pipable WIM files").
const PipableMagic = "WLPWM\x00\x00\x00"

const (
	headerSize     = 208
	atImages       = 44
	pipedResource  = 40 // bytes before each part: magic, size, SHA-1, flags
	pipedMagic     = 0x2b9b9ba2443db9d8
	maxDescription = 16 << 20
	flagCompressed = 0x04 // of a part; descriptions are not
)

// ErrNotPipable: a file does not begin as one that can be read from a pipe.
var ErrNotPipable = errors.New("not an image that can be read from a pipe")

// ReadPipable reads the description at the beginning of a stream. rest is the whole
// stream again, from its first byte on. Its errors wrap ErrNotPipable, ErrDamaged or
// what r gave.
func ReadPipable(r io.Reader) (info Info, rest io.Reader, err error) {
	var seen bytes.Buffer
	in := io.TeeReader(r, &seen)
	head := make([]byte, headerSize+pipedResource)
	if _, err := io.ReadFull(in, head); err != nil {
		return info, nil, short(err)
	}
	le := binary.LittleEndian
	if string(head[:len(PipableMagic)]) != PipableMagic || le.Uint32(head[8:]) != headerSize {
		return info, nil, ErrNotPipable
	}
	part := head[headerSize:]
	size, images := le.Uint64(part[8:]), le.Uint32(head[atImages:])
	if le.Uint64(part) != pipedMagic || le.Uint32(part[36:])&flagCompressed != 0 || size < 2 || size > maxDescription || images == 0 || images > 10000 {
		return info, nil, fmt.Errorf("%w: no description stands behind its header", ErrDamaged)
	}
	var raw bytes.Buffer // grows with what is really there
	if _, err := io.CopyN(&raw, in, int64(size)); err != nil {
		return info, nil, short(err)
	}
	if !bytes.HasPrefix(raw.Bytes(), []byte{0xff, 0xfe}) {
		return info, nil, fmt.Errorf("%w: its description is no UTF-16", ErrDamaged)
	}
	if info, err = Parse(raw.Bytes(), int(images)); err != nil {
		return info, nil, err
	}
	return info, io.MultiReader(&seen, r), nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends in its description", ErrDamaged)
	}
	return fmt.Errorf("read the image's description: %w", err)
}
