// Package xz reads .xz streams that may be cut short or ask for too much memory (The .xz
// File Format 1.2.0).
package xz

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

const (
	// Edge is the length of a stream's header, and of its footer, in bytes (2.1.1, 2.1.2).
	Edge = 12
	// BlockHead is how much of a block's header CheckDictionary looks at, in bytes: sizes
	// and filter flags of the one filter that xz and dpkg-deb use.
	BlockHead = 32
)

// NewReader unpacks a stream whose first block asks for a dictionary of at most most
// bytes; all blocks of a stream that xz made ask for the same. An end that comes before
// the stream's own is io.ErrUnexpectedEOF.
func NewReader(r io.Reader, most int64) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 256<<10) // the decoder reads single bytes
	head, _ := in.Peek(Edge + BlockHead)
	if err := CheckDictionary(head[min(Edge, len(head)):], most); err != nil {
		return nil, err
	}
	w := &whole{r: in}
	x, err := xz.ReaderConfig{DictCap: 1 << 16}.NewReader(w)
	if err != nil {
		return nil, NoEOF(err)
	}
	w.x = x
	return reader(w.decoded), nil
}

type reader func(p []byte) (int, error)

func (f reader) Read(p []byte) (int, error) { return f(p) }

// whole notices a stream that ends where a block should begin, which the decoder takes
// for a good end: every stream's last bytes are its footer's "YZ", or zeros that pad it
// (2.1.2.4 and 2.2).
type whole struct {
	r    *bufio.Reader
	x    io.Reader
	tail [2]byte // the last two bytes read that are not zero
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	for _, b := range p[:n] {
		w.note(b)
	}
	return n, err
}

// ReadByte is what the decoder uses most.
func (w *whole) ReadByte() (byte, error) {
	b, err := w.r.ReadByte()
	if err == nil {
		w.note(b)
	}
	return b, err
}

func (w *whole) note(b byte) {
	if b != 0 {
		w.tail[0], w.tail[1] = w.tail[1], b
	}
}

func (w *whole) decoded(p []byte) (int, error) {
	n, err := w.x.Read(p)
	if err == io.EOF && string(w.tail[:]) != "YZ" {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// NoEOF names an end that came too early: the decoder reports a block header that
// is longer than its stream as a plain io.EOF, which would pass for the good end.
func NoEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// CheckDictionary refuses a block whose header asks for a dictionary of more than most
// bytes; up to 4 GiB are possible, and the decoder allocates them before the first byte
// comes out. A header that is not understood here is left to the decoder.
func CheckDictionary(head []byte, most int64) error {
	if len(head) < 2 || head[0] == 0 {
		return nil
	}
	rest := head[2:]
	for _, flag := range []byte{0x40, 0x80} { // compressed size, uncompressed size
		if head[1]&flag != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return nil
			}
			rest = rest[n:]
		}
	}
	const lzma2 = 0x21
	if len(rest) < 3 || rest[0] != lzma2 || rest[1] != 1 {
		return nil
	}
	if size, err := lzma.DecodeDictCap(rest[2]); err == nil && size > most {
		return fmt.Errorf("it asks for a dictionary of %d MiB, more than the %d MiB allowed", size>>20, most>>20)
	}
	return nil
}
