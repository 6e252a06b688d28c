package bzimage

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/ulikunitz/xz/lzma"
)

// The .xz file format, version 1.2.0.
const (
	magic      = "\xfd7zXZ\x00"
	footer     = "YZ"
	edge       = 12 // bytes of stream header and stream footer
	checkNone  = 0
	checkCRC32 = 1

	filterX86     = 4
	filterLZMA2   = 0x21
	maxDictionary = 128 << 20
)

// block is one block of a stream.
type block struct {
	x86    bool
	packed []byte // LZMA2
	size   int    // unpacked
}

// unpack reads a stream whole: limit bounds what it may unpack to.
func unpack(stream []byte, limit int) ([]byte, error) {
	stream = bytes.TrimRight(stream, "\x00") // stream padding
	n := len(stream)
	if n < 2*edge || n%4 != 0 || string(stream[:6]) != magic || string(stream[n-2:]) != footer || stream[6] != 0 || stream[n-4] != 0 || stream[7] != stream[n-3] {
		return nil, unknown("not one xz stream")
	}
	check := map[byte]int{checkNone: 0, checkCRC32: 4}
	checkSize, ok := check[stream[7]]
	if !ok {
		return nil, unknown("xz check of type %d", stream[7])
	}
	size := (int64(binary.LittleEndian.Uint32(stream[n-8:])) + 1) * 4
	index := int64(n) - edge - size
	if index < edge {
		return nil, unknown("xz index of %d bytes", size)
	}
	return unpackBlocks(stream[edge:index], stream[index:n-edge-4], checkSize, limit)
}

// unpackBlocks unpacks the blocks that the index (without its checksum) counts.
func unpackBlocks(blocks, index []byte, checkSize, limit int) ([]byte, error) {
	next := func() int64 {
		v, n := binary.Uvarint(index)
		if n <= 0 || v > maxPayload {
			index = nil
			return -1
		}
		index = index[n:]
		return int64(v)
	}
	var out []byte
	next() // the index indicator, a zero byte
	for count := next(); count > 0; count-- {
		unpadded, size := next(), next()
		padded := (unpadded + 3) &^ 3
		if unpadded < 8+int64(checkSize) || size < 0 || padded > int64(len(blocks)) || size > int64(limit-len(out)) {
			return nil, unknown("xz block of %d bytes, unpacked %d", unpadded, size)
		}
		content, err := unpackBlock(blocks[:unpadded-int64(checkSize)], blocks[:padded][padded-int64(checkSize):], int(size))
		if err != nil {
			return nil, err
		}
		out, blocks = append(out, content...), blocks[padded:]
	}
	if len(blocks) != 0 || len(index) > 3 {
		return nil, unknown("xz index and blocks differ")
	}
	return out, nil
}

// unpackBlock unpacks a block: b is its header and data, check its CRC-32 or nothing.
func unpackBlock(b, check []byte, size int) ([]byte, error) {
	head := (int(b[0]) + 1) * 4
	if b[0] == 0 || head > len(b) || crc32.ChecksumIEEE(b[:head-4]) != binary.LittleEndian.Uint32(b[head-4:]) {
		return nil, unknown("damaged xz block header")
	}
	filters, number := b[2:head-4], byte(0)
	x86 := bytes.HasPrefix(filters, []byte{filterX86, 0})
	if x86 {
		filters, number = filters[2:], 1
	}
	if b[1] != number || len(filters) < 3 || filters[0] != filterLZMA2 || filters[1] != 1 || len(bytes.Trim(filters[3:], "\x00")) != 0 {
		return nil, unknown("xz filters % x", b[1:head-4])
	}
	dictionary, err := lzma.DecodeDictCap(filters[2])
	if err != nil || dictionary > maxDictionary {
		return nil, unknown("xz dictionary of %d bytes", dictionary)
	}
	out, err := unpackLZMA2(b[head:], int(dictionary), size)
	if err != nil {
		return nil, err
	}
	if x86 {
		decodeX86(out)
	}
	if len(check) != 0 && crc32.ChecksumIEEE(out) != binary.LittleEndian.Uint32(check) {
		return nil, unknown("damaged xz block")
	}
	return out, nil
}

// unpackLZMA2 unpacks exactly size bytes. A dictionary larger than all of them would
// be memory for nothing.
func unpackLZMA2(packed []byte, dictionary, size int) ([]byte, error) {
	in := bytes.NewReader(packed)
	r, err := lzma.Reader2Config{DictCap: max(min(dictionary, size), lzma.MinDictCap)}.NewReader2(in)
	if err != nil {
		return nil, unknown("LZMA2: %v", err)
	}
	var out bytes.Buffer
	if n, err := io.Copy(&out, io.LimitReader(r, int64(size)+1)); err != nil || n != int64(size) || in.Len() != 0 {
		return nil, unknown("LZMA2: %d of %d bytes, %d left: %v", n, size, in.Len(), err)
	}
	return out.Bytes(), nil
}

// assemble makes a stream of packed blocks, without checks: Linux refuses all but
// CRC-32 there, and each costs time.
func assemble(blocks []block) []byte {
	flags := []byte{0, checkNone}
	out := appendSum([]byte(magic+string(flags)), 6)
	index := binary.AppendUvarint([]byte{0}, uint64(len(blocks)))
	for _, b := range blocks {
		head := blockHeader(b)
		out = pad(append(append(out, head...), b.packed...))
		index = binary.AppendUvarint(index, uint64(len(head)+len(b.packed)))
		index = binary.AppendUvarint(index, uint64(b.size))
	}
	index = appendSum(pad(index), 0)
	tail := append(binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1)), flags...)
	out = append(out, index...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(tail))
	return append(append(out, tail...), footer...)
}

func blockHeader(b block) []byte {
	h := []byte{0, 0}
	if b.x86 {
		h = []byte{0, 1, filterX86, 0}
	}
	_, code := dictionaryFor(b.size)
	h = pad(append(h, filterLZMA2, 1, code))
	h[0] = byte(len(h) / 4)
	return appendSum(h, 0)
}

// dictionaryFor returns the smallest dictionary of a whole power of two that holds
// size bytes, and its code in a header.
func dictionaryFor(size int) (bytes int, code byte) {
	power := max(bits.Len(uint(max(size, 1)-1)), 12)
	return 1 << power, byte(2 * (power - 12))
}

// pad adds zeros up to a multiple of four bytes.
func pad(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }

// appendSum adds the CRC-32 of what follows the first skip bytes.
func appendSum(b []byte, skip int) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[skip:]))
}
