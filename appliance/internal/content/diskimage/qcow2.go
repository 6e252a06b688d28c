package diskimage

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ErrFormat is wrapped by errors that say why an image cannot be read.
var ErrFormat = errors.New("this qcow2 image cannot be read")

// QCOW2Magic begins every qcow2 image.
const QCOW2Magic = "QFI\xfb"

// Limits of what is read, those of QEMU's own reader.
const (
	maxL1     = 4 << 20 // entries
	minBits   = 9
	maxBits   = 21
	maxCached = 32 // L2 tables in memory, at most 2 MiB each
)

// Bits of the header and of table entries (QEMU, docs/interop/qcow2.txt).
const (
	featureCorrupt  = 1 << 1
	featureExternal = 1 << 2
	featureExtended = 1 << 4
	featuresKnown   = 1<<0 | featureCorrupt | featureExternal | 1<<3 | featureExtended
	entryOffset     = 0x00fffffffffffe00
	entryCompressed = 1 << 62
	entryZero       = 1 << 0
)

// QCOW2 is a disk image of versions 2 and 3, without a backing file. Internal
// snapshots are not looked at.
type QCOW2 struct {
	file  io.ReaderAt
	end   int64 // size of the file
	size  int64
	bits  uint
	zstd  bool
	v3    bool
	l1    []uint64
	l2    map[uint64][]uint64
	plain *zstd.Decoder
	last  int64 // cluster that was unpacked last, -1: none
	held  []byte
}

func formatError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// header is what we use of a qcow2 header.
type header struct {
	Magic         [4]byte
	Version       uint32
	BackingOffset uint64
	BackingSize   uint32
	Bits          uint32
	Size          uint64
	Crypt         uint32
	L1Size        uint32
	L1Offset      uint64
	_             [24]byte // refcounts, snapshots
	Incompatible  uint64   // from version 3 on
	_             [16]byte
	RefcountOrder uint32
	Length        uint32
	Compression   uint8
}

// OpenQCOW2 reads the header and first table of an image in a file of end bytes. The
// disk may have limit bytes at most.
func OpenQCOW2(f io.ReaderAt, end, limit int64) (*QCOW2, error) {
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	if err := h.check(end, limit); err != nil {
		return nil, err
	}
	q := &QCOW2{file: f, end: end, size: int64(h.Size), bits: uint(h.Bits), v3: h.Version >= 3, //nolint:gosec // checked
		zstd: h.Compression == 1, l2: map[uint64][]uint64{}, last: -1}
	if q.l1, err = q.table(h.L1Offset, int(h.needed())); err != nil {
		return nil, err
	}
	if q.zstd {
		if q.plain, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20)); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// readHeader reads a header; what version 2 does not have stays zero.
func readHeader(f io.ReaderAt) (h header, err error) {
	var raw [105]byte
	n, err := f.ReadAt(raw[:], 0)
	if n < 72 {
		return h, formatError("it is too short (%v)", err)
	}
	if binary.BigEndian.Uint32(raw[4:]) < 3 {
		clear(raw[72:])
	} else if n < 104 {
		return h, formatError("it is too short")
	} else if binary.BigEndian.Uint32(raw[100:]) < 105 || n < 105 {
		raw[104] = 0
	}
	return h, binary.Read(bytes.NewReader(raw[:]), binary.BigEndian, &h)
}

func (h header) check(end, limit int64) error {
	switch {
	case string(h.Magic[:]) != QCOW2Magic:
		return formatError("it does not begin as one")
	case h.Version != 2 && h.Version != 3:
		return formatError("its version is %d, not 2 or 3", h.Version)
	case h.BackingOffset != 0:
		return formatError("it needs a backing file; make a whole one with: qemu-img convert -O qcow2")
	case h.Crypt != 0:
		return formatError("it is encrypted")
	case h.Incompatible&^featuresKnown != 0:
		return formatError("it uses features of a later version (%#x)", h.Incompatible)
	case h.Incompatible&featureCorrupt != 0:
		return formatError("it is marked as damaged; repair it with: qemu-img check -r all")
	case h.Incompatible&featureExternal != 0:
		return formatError("its data stands in another file")
	case h.Incompatible&featureExtended != 0:
		return formatError("it has extended L2 entries; make one without: qemu-img convert -O qcow2")
	case h.Bits < minBits || h.Bits > maxBits:
		return formatError("its clusters have 2^%d bytes", h.Bits)
	case h.Size > uint64(limit): //nolint:gosec // limit is positive
		return formatError("the disk has %d bytes; at most %d are allowed", h.Size, limit)
	case h.Compression > 1:
		return formatError("its compression %d is unknown", h.Compression)
	case h.needed() > maxL1 || uint64(h.L1Size) < h.needed():
		return formatError("its first table has %d entries, %d are needed, %d allowed", h.L1Size, h.needed(), maxL1)
	case h.L1Offset > uint64(end): //nolint:gosec // a file's size
		return formatError("its first table lies behind its end")
	}
	return nil
}

// needed is how many L1 entries the disk has.
func (h header) needed() uint64 {
	span := uint64(1) << (2*h.Bits - 3)
	return h.Size/span + min(h.Size%span, 1)
}

// table reads n entries at an offset of the file.
func (q *QCOW2) table(at uint64, n int) ([]uint64, error) {
	if at > uint64(q.end) || uint64(n)*8 > uint64(q.end)-at { //nolint:gosec // not negative
		return nil, formatError("a table at byte %d lies behind its end", at)
	}
	raw := make([]byte, n*8)
	if got, err := q.file.ReadAt(raw, int64(at)); got < len(raw) { //nolint:gosec // within the file
		return nil, fmt.Errorf("read a table of the image: %w", err)
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(raw[i*8:])
	}
	return out, nil
}

// Size implements Image.
func (q *QCOW2) Size() int64 { return q.size }

func (q *QCOW2) cluster() int64 { return 1 << q.bits }

// span is how many bytes of the disk one L2 table tells of.
func (q *QCOW2) span() int64 { return 1 << (2*q.bits - 3) }

// second returns the L2 table for a byte of the disk, nil when there is none.
func (q *QCOW2) second(off int64) ([]uint64, error) {
	at := q.l1[off/q.span()] & entryOffset
	if at == 0 {
		return nil, nil
	}
	if t, ok := q.l2[at]; ok {
		return t, nil
	}
	t, err := q.table(at, int(q.cluster()/8))
	if err != nil {
		return nil, err
	}
	if len(q.l2) >= maxCached {
		clear(q.l2)
	}
	q.l2[at] = t
	return t, nil
}

// entry returns the L2 entry for a byte of the disk; 0 for a cluster of zeros.
func (q *QCOW2) entry(off int64) (uint64, error) {
	t, err := q.second(off)
	if t == nil || err != nil {
		return 0, err
	}
	e := t[off%q.span()/q.cluster()]
	if e&entryCompressed == 0 && (q.v3 && e&entryZero != 0 || e&entryOffset == 0) {
		e = 0
	}
	return e, nil
}

// Data implements Image. It looks at the clusters of one L2 table at most.
func (q *QCOW2) Data(off int64) (start, end int64, err error) {
	stop := min((off/q.span()+1)*q.span(), q.size)
	if q.l1[off/q.span()]&entryOffset == 0 {
		return stop, stop, nil
	}
	next := func(at int64) int64 { return min((at/q.cluster()+1)*q.cluster(), stop) }
	start = off
	for ; start < stop; start = next(start) {
		e, err := q.entry(start)
		if err != nil {
			return 0, 0, err
		}
		if e != 0 {
			break
		}
	}
	for end = start; end < stop; end = next(end) {
		e, err := q.entry(end)
		if err != nil {
			return 0, 0, err
		}
		if e == 0 {
			break
		}
	}
	return start, end, nil
}

// ReadAt implements io.ReaderAt, for one caller at a time.
func (q *QCOW2) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= q.size {
			return n, io.EOF
		}
		part := p[n:min(int64(len(p)), int64(n)+q.cluster()-off%q.cluster(), int64(n)+q.size-off)]
		if err := q.read(part, off); err != nil {
			return n, err
		}
		n += len(part)
		off += int64(len(part))
	}
	return n, nil
}

// read reads within one cluster.
func (q *QCOW2) read(p []byte, off int64) error {
	e, err := q.entry(off)
	if err != nil {
		return err
	}
	within := off % q.cluster()
	switch {
	case e == 0:
		clear(p)
		return nil
	case e&entryCompressed != 0:
		return q.unpack(p, off-within, within, e)
	}
	at := int64(e & entryOffset) //nolint:gosec // 56 bits
	if at+within+int64(len(p)) > q.end {
		return formatError("a cluster lies behind its end (at byte %d of the disk)", off)
	}
	if n, err := q.file.ReadAt(p, at+within); n < len(p) {
		return fmt.Errorf("read the image: %w", err)
	}
	return nil
}

// unpack reads from a compressed cluster and keeps it for the next call.
func (q *QCOW2) unpack(p []byte, cluster, within int64, e uint64) error {
	if q.last != cluster {
		q.last = -1
		x := 62 - (q.bits - 8)
		at := int64(e & (1<<x - 1))                      //nolint:gosec // 61 bits at most
		sectors := int64(e & (entryCompressed - 1) >> x) //nolint:gosec // 13 bits
		length := min((sectors+1)*512-at%512, max(q.end-at, 0))
		packed := make([]byte, length)
		if n, err := q.file.ReadAt(packed, at); n < len(packed) || n == 0 {
			return formatError("a compressed cluster lies behind its end (at byte %d of the disk): %v", cluster, err)
		}
		if q.held == nil {
			q.held = make([]byte, q.cluster())
		}
		if err := q.inflate(packed); err != nil {
			return formatError("a compressed cluster is damaged (at byte %d of the disk): %v", cluster, err)
		}
		q.last = cluster
	}
	copy(p, q.held[within:])
	return nil
}

// inflate unpacks exactly one cluster; what follows it is padding.
func (q *QCOW2) inflate(packed []byte) error {
	if q.zstd {
		if err := q.plain.Reset(bytes.NewReader(packed)); err != nil {
			return err
		}
		_, err := io.ReadFull(q.plain, q.held)
		return err
	}
	in := flate.NewReader(bytes.NewReader(packed))
	defer in.Close()
	_, err := io.ReadFull(in, q.held)
	return err
}

// Close releases the decoder.
func (q *QCOW2) Close() {
	if q.plain != nil {
		q.plain.Close()
	}
}
