package bootable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errFAT says that a partition holds no FAT file system that can be read.
var errFAT = errors.New("it holds no FAT file system")

// fat is a FAT file system to look names up in (Microsoft, FAT: General Overview of
// On-Disk Format 1.03), as firmware does: by short names, which every file has.
type fat struct {
	r         io.ReaderAt
	bits      int // 12, 16 or 32
	table     int64
	root      int64 // of FAT12 and 16: where the root folder lies, rootSize bytes
	rootSize  int64
	rootChain uint32 // of FAT32
	data      int64
	cluster   int64 // bytes
	clusters  uint32
}

func openFAT(r io.ReaderAt) (*fat, error) {
	b := make([]byte, 512)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("read the file system: %w", err)
	}
	le := binary.LittleEndian
	sector, perCluster, reserved := int64(le.Uint16(b[11:])), int64(b[13]), int64(le.Uint16(b[14:]))
	tables, entries := int64(b[16]), int64(le.Uint16(b[17:]))
	total, size := int64(le.Uint16(b[19:])), int64(le.Uint16(b[22:]))
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	if size == 0 {
		size = int64(le.Uint32(b[36:]))
	}
	power := func(n int64) bool { return n > 0 && n&(n-1) == 0 }
	if b[510] != 0x55 || b[511] != 0xaa || !power(sector) || sector < 512 || sector > 4096 || !power(perCluster) || reserved == 0 || tables == 0 || size == 0 {
		return nil, errFAT
	}
	rootSectors := (entries*32 + sector - 1) / sector
	first := reserved + tables*size + rootSectors
	count := (total - first) / perCluster
	if count < 1 || count > 1<<28 {
		return nil, errFAT
	}
	f := &fat{r: r, bits: 32, table: reserved * sector, root: (reserved + tables*size) * sector, rootSize: entries * 32,
		data: first * sector, cluster: perCluster * sector, clusters: uint32(count)}
	switch {
	case count < 4085:
		f.bits = 12
	case count < 65525:
		f.bits = 16
	default:
		f.rootChain = le.Uint32(b[44:])
	}
	return f, nil
}

// longestFolder bounds what is read of one folder, in bytes, and so the loops that a
// damaged chain can make.
const longestFolder = 256 << 10

// has reports whether there is a file at a path of short names, separated by "/".
func (f *fat) has(path string) (bool, error) {
	names := strings.Split(path, "/")
	at := f.rootChain
	for i, name := range names {
		entry, err := f.find(at, i == 0 && f.bits != 32, name)
		if err != nil || entry == nil {
			return false, err
		}
		folder := entry[11]&0x10 != 0
		if last := i == len(names)-1; last {
			return !folder && binary.LittleEndian.Uint32(entry[28:]) > 0, nil
		}
		if !folder {
			return false, nil
		}
		at = uint32(binary.LittleEndian.Uint16(entry[26:]))
		if f.bits == 32 {
			at |= uint32(binary.LittleEndian.Uint16(entry[20:])) << 16
		}
	}
	return false, nil
}

// find looks a name up in a folder; nil when it is not there.
func (f *fat) find(chain uint32, fixed bool, name string) ([]byte, error) {
	short := shortName(name)
	if fixed {
		b := make([]byte, f.rootSize)
		if _, err := f.r.ReadAt(b, f.root); err != nil {
			return nil, fmt.Errorf("read the root folder: %w", err)
		}
		entry, _ := findEntry(b, short)
		return entry, nil
	}
	b := make([]byte, f.cluster)
	for read := int64(0); read < longestFolder; read += f.cluster {
		if chain < 2 || chain-2 >= f.clusters {
			return nil, nil // the end of the chain, or a damaged one
		}
		if _, err := f.r.ReadAt(b, f.data+int64(chain-2)*f.cluster); err != nil {
			return nil, fmt.Errorf("read a folder: %w", err)
		}
		entry, end := findEntry(b, short)
		if entry != nil || end {
			return entry, nil
		}
		var err error
		if chain, err = f.next(chain); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// findEntry looks a short name up among a folder's entries. end says that none follow.
func findEntry(b []byte, short string) (entry []byte, end bool) {
	for ; len(b) >= 32; b = b[32:] {
		switch {
		case b[0] == 0:
			return nil, true
		case b[0] == 0xe5 || b[11]&0x08 != 0: // removed; a label or a piece of a long name
		case string(b[:11]) == short:
			return b[:32], false
		}
	}
	return nil, false
}

// shortName writes NAME.EXT as folders hold it.
func shortName(name string) string {
	base, ext, _ := strings.Cut(strings.ToUpper(name), ".")
	return fmt.Sprintf("%-8.8s%-3.3s", base, ext)
}

// next is the cluster after one in its chain.
func (f *fat) next(chain uint32) (uint32, error) {
	b := make([]byte, 4)
	offset := int64(chain) * int64(f.bits) / 8
	if _, err := f.r.ReadAt(b[:max(2, f.bits/8)], f.table+offset); err != nil {
		return 0, fmt.Errorf("read the allocation table: %w", err)
	}
	n := binary.LittleEndian.Uint32(b)
	switch {
	case f.bits == 32:
		return n & 0x0fffffff, nil
	case f.bits == 16:
		return n & 0xffff, nil
	case chain%2 == 1:
		return n >> 4 & 0xfff, nil
	}
	return n & 0xfff, nil
}
