package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/google/uuid"
)

// gptArrayBytes is the size of a GPT's array of 128 entries.
const gptArrayBytes = 128 * 128

// maxArrayBytes bounds what a table may claim.
const maxArrayBytes = 1 << 20

var errBadTable = errors.New("the partition table is damaged")

// readGPT reads the GPT whose header lies at the byte offset at. It is our own reader
// (UEFI 2.10, 5.3.2), so that what the library wrote is read back by somebody else.
func readGPT(r io.ReaderAt, at, size int64, sector int) (Layout, error) {
	h := make([]byte, sector)
	if _, err := r.ReadAt(h, at); err != nil {
		return Layout{}, fmt.Errorf("read the partition table: %w", err)
	}
	le := binary.LittleEndian
	if string(h[:8]) != "EFI PART" {
		return Layout{}, ErrNoTable
	}
	length := le.Uint32(h[12:])
	if length < 92 || length > uint32(sector) {
		return Layout{}, fmt.Errorf("%w: a header of %d bytes", errBadTable, length)
	}
	sum := le.Uint32(h[16:])
	clear(h[16:20])
	if crc32.ChecksumIEEE(h[:length]) != sum {
		return Layout{}, fmt.Errorf("%w: the header's checksum is wrong", errBadTable)
	}
	if le.Uint64(h[24:]) != uint64(at)/uint64(sector) {
		return Layout{}, fmt.Errorf("%w: the header belongs elsewhere", errBadTable)
	}
	array, count, entry := le.Uint64(h[72:]), le.Uint32(h[80:]), le.Uint32(h[84:])
	if entry < 128 || entry > 4096 || count > maxArrayBytes/entry || array > uint64(size)/uint64(sector) {
		return Layout{}, fmt.Errorf("%w: %d entries of %d bytes", errBadTable, count, entry)
	}
	b := make([]byte, int(up(int64(count)*int64(entry), int64(sector))))
	if _, err := r.ReadAt(b, int64(array)*int64(sector)); err != nil {
		return Layout{}, fmt.Errorf("read the partition table: %w", err)
	}
	b = b[:count*entry]
	if crc32.ChecksumIEEE(b) != le.Uint32(h[88:]) {
		return Layout{}, fmt.Errorf("%w: the entries' checksum is wrong", errBadTable)
	}
	l := Layout{Format: LayoutFormat, Table: GPT, SectorSize: sector, TableID: strings.ToUpper(guid(h[56:]))}
	for i := range int(count) {
		e := b[i*int(entry):]
		if guid(e) == uuid.Nil.String() {
			continue
		}
		p, err := gptEntry(i+1, e, size, int64(sector))
		if err != nil {
			return Layout{}, err
		}
		l.Partitions = append(l.Partitions, p)
	}
	return l, checkOverlap(l.Partitions)
}

func gptEntry(number int, e []byte, size, sector int64) (Partition, error) {
	le := binary.LittleEndian
	first, last := le.Uint64(e[32:]), le.Uint64(e[40:])
	if first < 1 || last < first || last >= uint64(size/sector) {
		return Partition{}, fmt.Errorf("%w: partition %d reaches beyond the disk", errBadTable, number)
	}
	var name []uint16
	for i := 56; i < 128; i += 2 {
		c := le.Uint16(e[i:])
		if c == 0 {
			break
		}
		name = append(name, c)
	}
	return Partition{Number: number, Type: strings.ToUpper(guid(e)), PartUUID: guid(e[16:]), Name: string(utf16.Decode(name)),
		Start: int64(first) * sector, Size: int64(last-first+1) * sector, Attributes: le.Uint64(e[48:])}, nil
}

// checkOverlap refuses tables whose partitions share sectors.
func checkOverlap(list []Partition) error {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b Partition) int { return compareInt(a.Start, b.Start) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Start < sorted[i-1].End() {
			return fmt.Errorf("%w: partitions %d and %d overlap", errBadTable, sorted[i-1].Number, sorted[i].Number)
		}
	}
	return nil
}

// guid reads a GUID in the mixed byte order of EFI.
func guid(b []byte) string {
	u := uuid.UUID{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}
	copy(u[8:], b[8:16])
	return u.String()
}
