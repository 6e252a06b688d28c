// Package fat looks files up on a FAT file system without mounting it (Microsoft, FAT:
// General Overview of On-Disk Format 1.03). It goes by short names, as firmware does:
// every file has one.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrNone says that there is no FAT file system that can be read.
var ErrNone = errors.New("it holds no FAT file system")

// FS is a FAT file system.
type FS struct {
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

// Open reads the beginning of a file system.
func Open(r io.ReaderAt) (*FS, error) {
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
		return nil, ErrNone
	}
	rootSectors := (entries*32 + sector - 1) / sector
	first := reserved + tables*size + rootSectors
	count := (total - first) / perCluster
	if count < 1 || count > 1<<28 {
		return nil, ErrNone
	}
	f := &FS{r: r, bits: 32, table: reserved * sector, root: (reserved + tables*size) * sector, rootSize: entries * 32,
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

// Entry is a file or folder.
type Entry struct {
	Short  string // 8 and 3 characters, filled up with blanks
	Folder bool
	Size   int64 // of a file, bytes
	first  uint32
}

// Has reports whether there is a file that is not empty at a path of short names,
// separated by "/".
func (f *FS) Has(path string) (bool, error) {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	list, err := f.List(dir)
	for _, e := range list {
		if e.Short == shortName(name) {
			return !e.Folder && e.Size > 0, nil
		}
	}
	return false, err
}

// List lists a folder by its path of short names; the root is "". One that is not
// there is empty.
func (f *FS) List(path string) ([]Entry, error) {
	list, err := f.folder(f.rootChain, f.bits != 32)
	for name := range strings.SplitSeq(path, "/") {
		if err != nil || name == "" {
			break
		}
		i := slices.IndexFunc(list, func(e Entry) bool { return e.Folder && e.Short == shortName(name) })
		if i < 0 {
			return nil, nil
		}
		list, err = f.folder(list[i].first, false)
	}
	return list, err
}

// folder reads the entries of a folder, up to longestFolder.
func (f *FS) folder(chain uint32, fixed bool) ([]Entry, error) {
	if fixed {
		b := make([]byte, f.rootSize)
		if _, err := f.r.ReadAt(b, f.root); err != nil {
			return nil, fmt.Errorf("read the root folder: %w", err)
		}
		list, _ := f.entries(b)
		return list, nil
	}
	var list []Entry
	err := f.chain(chain, longestFolder, func(b []byte) bool {
		more, end := f.entries(b)
		list = append(list, more...)
		return !end
	})
	if err != nil {
		return list, fmt.Errorf("read a folder: %w", err)
	}
	return list, nil
}

// entries reads a folder's entries. end says that none follow.
func (f *FS) entries(b []byte) (list []Entry, end bool) {
	le := binary.LittleEndian
	for ; len(b) >= 32; b = b[32:] {
		if b[0] == 0 {
			return list, true
		}
		if b[0] == 0xe5 || b[11]&0x08 != 0 { // removed; a label or a piece of a long name
			continue
		}
		e := Entry{Short: string(b[:11]), Folder: b[11]&0x10 != 0, Size: int64(le.Uint32(b[28:])), first: uint32(le.Uint16(b[26:]))}
		if f.bits == 32 {
			e.first |= uint32(le.Uint16(b[20:])) << 16
		}
		list = append(list, e)
	}
	return list, false
}

// Read reads the beginning of a file, at most limit bytes.
func (f *FS) Read(e Entry, limit int64) ([]byte, error) {
	limit = min(limit, e.Size)
	var out []byte
	err := f.chain(e.first, limit, func(b []byte) bool {
		out = append(out, b[:min(int64(len(b)), limit-int64(len(out)))]...)
		return true
	})
	return out, err
}

// chain reads the clusters of a chain one by one until use says no, the chain ends or
// is damaged, or limit bytes were read.
func (f *FS) chain(at uint32, limit int64, use func([]byte) bool) error {
	b := make([]byte, f.cluster)
	for read := int64(0); read < limit && at >= 2 && at-2 < f.clusters; read += f.cluster {
		if _, err := f.r.ReadAt(b, f.data+int64(at-2)*f.cluster); err != nil {
			return err
		}
		if !use(b) {
			return nil
		}
		var err error
		if at, err = f.next(at); err != nil {
			return err
		}
	}
	return nil
}

// shortName writes NAME.EXT as folders hold it.
func shortName(name string) string {
	base, ext, _ := strings.Cut(strings.ToUpper(name), ".")
	return fmt.Sprintf("%-8.8s%-3.3s", base, ext)
}

// next is the cluster after one in its chain.
func (f *FS) next(chain uint32) (uint32, error) {
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
