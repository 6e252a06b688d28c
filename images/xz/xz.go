// Package xz reads .xz streams that may be cut short or ask for too much memory (The .xz
// File Format 1.2.0).
package xz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

const (
	// Edge is the length of a stream's header, and of its footer, in bytes (2.1.1, 2.1.2).
	Edge = 12

	magic       = "\xfd7zXZ\x00"
	footerMagic = "YZ"
	lzma2       = 0x21 // the one filter that xz and dpkg-deb use unless told otherwise
)

var errFormat = errors.New("not an .xz stream, or a damaged one")

func damaged(what string) error { return fmt.Errorf("%w: %s", errFormat, what) }

// NewReader unpacks streams, one behind the other, none of whose blocks asks for a
// dictionary of more than most bytes; up to 4 GiB are possible, and they are allocated
// before a block's first byte comes out. An end that comes before a stream's own is
// io.ErrUnexpectedEOF. What is wrong with the first block's header is told here.
func NewReader(r io.Reader, most int64) (io.Reader, error) {
	x := &reader{in: &source{r: bufio.NewReaderSize(r, 256<<10)}, most: most} // the decoder reads single bytes
	if err := x.begin(); err != nil {
		return nil, cut(err)
	}
	x.err = x.next()
	if x.err != nil && x.err != io.EOF {
		return nil, x.err
	}
	return x, nil
}

// source counts what is read.
type source struct {
	r *bufio.Reader
	n int64
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	return n, err
}

// take reads exactly n bytes.
func (s *source) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(s, b)
	return b, cut(err)
}

// cut names an end that came too early: a plain io.EOF would pass for the good end.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// reader is at the beginning of a block, or in one.
type reader struct {
	in    *source
	most  int64
	flags []byte // of the stream, as header and footer have them
	block *block
	count uint64    // blocks of the stream so far
	sizes hash.Hash // of their sizes, which the index repeats
	err   error     // stays
}

// block is the block that is being read.
type block struct {
	data             *lzma.Reader2
	start            int64 // of the data, in the source
	head             int64 // bytes of the header
	unpacked         int64 // bytes so far
	packedSize, size int64 // as the header says; -1: it does not
	check            hash.Hash
}

// Read implements io.Reader.
func (x *reader) Read(p []byte) (n int, err error) {
	for x.err == nil && n == 0 && len(p) > 0 {
		if x.block == nil {
			x.err = x.next()
			continue
		}
		n, x.err = x.block.data.Read(p)
		x.block.unpacked += int64(n)
		_, _ = x.block.check.Write(p[:n]) // a hash takes all
		if x.err == io.EOF {
			x.err = x.endBlock()
		}
	}
	if n > 0 { // what is wrong behind it is told by the next call
		return n, nil
	}
	return 0, x.err
}

// begin reads a stream's header (2.1.1).
func (x *reader) begin() error {
	h := make([]byte, Edge)
	if _, err := io.ReadFull(x.in, h); err != nil {
		return err
	}
	if string(h[:6]) != magic || h[6] != 0 || h[7] > 15 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return damaged("its header")
	}
	x.flags, x.count, x.sizes = h[6:8], 0, sha256.New()
	if newCheck(h[7]) == nil {
		return fmt.Errorf("it has a check of type %d, which is not known here", h[7])
	}
	return nil
}

// next begins a block. Behind the last one it goes on with the next stream; io.EOF is
// the good end.
func (x *reader) next() error {
	for {
		first, err := x.in.take(1)
		if err != nil {
			return err
		}
		if first[0] != 0 {
			return x.beginBlock(first[0])
		}
		if err := x.index(); err != nil {
			return err
		}
		if err := x.nextStream(); err != nil {
			return err
		}
	}
}

// nextStream skips the padding behind a stream (2.2).
func (x *reader) nextStream() error {
	for {
		b, err := x.in.r.Peek(4)
		switch {
		case len(b) == 0 && err != nil:
			return err // io.EOF
		case len(b) < 4:
			return cut(err)
		case !bytes.Equal(b, make([]byte, 4)):
			return cut(x.begin())
		}
		if _, err := x.in.take(4); err != nil {
			return err
		}
	}
}

// beginBlock reads a block's header (3.1), whose first byte was read.
func (x *reader) beginBlock(first byte) error {
	rest, err := x.in.take((int(first)+1)*4 - 1)
	if err != nil {
		return err
	}
	h := append([]byte{first}, rest...)
	sum := len(h) - 4
	if crc32.ChecksumIEEE(h[:sum]) != binary.LittleEndian.Uint32(h[sum:]) {
		return damaged("a block's header")
	}
	b := &block{head: int64(len(h)), packedSize: -1, size: -1, check: newCheck(x.flags[1])}
	flags, h := h[1], h[2:sum]
	for _, f := range []struct {
		bit  byte
		size *int64
	}{{0x40, &b.packedSize}, {0x80, &b.size}} {
		if flags&f.bit == 0 {
			continue
		}
		v, n := binary.Uvarint(h)
		if n <= 0 || v > 1<<62 {
			return damaged("a block's size")
		}
		*f.size, h = int64(v), h[n:]
	}
	if flags&0x3f != 0 || len(h) < 3 || h[0] != lzma2 || h[1] != 1 || len(bytes.Trim(h[3:], "\x00")) != 0 {
		return errors.New("it is packed with filters that are not known here")
	}
	size, err := lzma.DecodeDictCap(h[2])
	if err != nil {
		return damaged("the size of a dictionary")
	}
	if size > x.most {
		return fmt.Errorf("it asks for a dictionary of %d MiB, more than the %d MiB allowed", size>>20, x.most>>20)
	}
	b.start = x.in.n
	if b.data, err = (lzma.Reader2Config{DictCap: int(max(size, lzma.MinDictCap))}).NewReader2(x.in); err != nil {
		return cut(err)
	}
	x.block = b
	return nil
}

// endBlock reads what is behind a block's data: padding and check (3.3, 3.4).
func (x *reader) endBlock() error {
	b := x.block
	x.block = nil
	packed := x.in.n - b.start
	if !b.data.EOS() {
		return io.ErrUnexpectedEOF
	}
	if b.packedSize >= 0 && b.packedSize != packed || b.size >= 0 && b.size != b.unpacked {
		return damaged("a block has another size than it says")
	}
	padding := int(-packed & 3)
	tail, err := x.in.take(padding + b.check.Size())
	if err != nil {
		return err
	}
	sum := b.check.Sum(nil)
	if x.flags[1] != checkSHA256 {
		slices.Reverse(sum) // the others are stored as numbers
	}
	if len(bytes.Trim(tail[:padding], "\x00")) != 0 || !bytes.Equal(tail[padding:], sum) {
		return damaged("a block's check does not hold")
	}
	x.count++
	note(x.sizes, uint64(b.head+packed)+uint64(b.check.Size()), uint64(b.unpacked))
	return nil
}

func note(h hash.Hash, numbers ...uint64) {
	for _, n := range numbers {
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n)) // a hash takes all
	}
}

// index reads the index, whose first byte was read, and the stream's footer (4, 2.1.2).
func (x *reader) index() error {
	i := &indexReader{in: x.in, crc: crc32.ChecksumIEEE([]byte{0}), n: 1}
	count, err := binary.ReadUvarint(i)
	if err == nil && count != x.count {
		err = damaged("its index has another number of blocks")
	}
	sizes := sha256.New()
	for n := uint64(0); n < 2*count && err == nil; n++ {
		var v uint64
		v, err = binary.ReadUvarint(i)
		note(sizes, v)
	}
	if err == nil && !bytes.Equal(sizes.Sum(nil), x.sizes.Sum(nil)) {
		err = damaged("its index has other sizes")
	}
	for i.n&3 != 0 && err == nil {
		var b byte
		if b, err = i.ReadByte(); b != 0 {
			err = damaged("the padding of its index")
		}
	}
	if err != nil {
		return cut(err)
	}
	end, err := x.in.take(4 + Edge) // the index's CRC-32, then the footer
	if err != nil {
		return err
	}
	le, foot := binary.LittleEndian, end[4:]
	if le.Uint32(end) != i.crc || le.Uint32(foot) != crc32.ChecksumIEEE(foot[4:10]) || (int64(le.Uint32(foot[4:]))+1)*4 != i.n+4 ||
		!bytes.Equal(foot[8:10], x.flags) || string(foot[10:]) != footerMagic {
		return damaged("its end")
	}
	return nil
}

// indexReader sums up the index.
type indexReader struct {
	in  *source
	crc uint32
	n   int64
}

// ReadByte implements io.ByteReader.
func (i *indexReader) ReadByte() (byte, error) {
	b, err := i.in.take(1)
	if err != nil {
		return 0, err
	}
	i.n++
	i.crc = crc32.Update(i.crc, crc32.IEEETable, b)
	return b[0], nil
}

// The checks of blocks (2.1.1.2).
const (
	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

var crc64Table = crc64.MakeTable(crc64.ECMA)

// newCheck returns nil for a check that is not known.
func newCheck(kind byte) hash.Hash {
	switch kind {
	case checkNone:
		return noCheck{}
	case checkCRC32:
		return crc32.NewIEEE()
	case checkCRC64:
		return crc64.New(crc64Table)
	case checkSHA256:
		return sha256.New()
	}
	return nil
}

// noCheck is a check of no bytes.
type noCheck struct{}

func (noCheck) Write(p []byte) (int, error) { return len(p), nil }
func (noCheck) Sum(b []byte) []byte         { return b }
func (noCheck) Reset()                      {}
func (noCheck) Size() int                   { return 0 }
func (noCheck) BlockSize() int              { return 1 }
