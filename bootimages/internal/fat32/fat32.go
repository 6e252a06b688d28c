// Package fat32 lays out disks with one FAT32 partition (Microsoft's "FAT: General
// Overview of On-Disk Format", 1.03; a master boot record as in UEFI specification
// 2.10, 5.2) without writing them: large files stay where they are and are read in
// place. The bytes depend on the arguments alone; every time stamp is 1 January 2000.
package fat32

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf16"
)

// File is a file of the disk: its content, or where that lies.
type File struct {
	Path    string // names separated by slashes
	Content []byte
	Source  string // path of a file with the content; "": Content
	Size    int64  // of the source
}

func (f File) size() int64 {
	if f.Source != "" {
		return f.Size
	}
	return int64(len(f.Content))
}

// PartitionStart is where the partition begins, in bytes.
const PartitionStart = partitionStart * sector

// ErrLayout: the files do not fit on a FAT32 disk.
var ErrLayout = errors.New("cannot stand on a FAT32 disk")

const (
	sector         = 512
	partitionStart = 2048 // sectors: 1 MiB
	reserved       = 32
	minClusters    = 65525 // fewer would be FAT16
	maxClusters    = 0x0fffff00
	endOfChain     = 0x0fffffff
	maxFile        = 1<<32 - 1
	entrySize      = 32
	attrVolume     = 0x08
	attrDirectory  = 0x10
	attrArchive    = 0x20
	attrLongName   = 0x0f
	fixedDate      = 20<<9 | 1<<5 | 1
	partitionType  = 0x0c // FAT32, addressed by sectors
)

// piece is a part of the disk: bytes, a file's bytes, or zeros.
type piece struct {
	at, size int64
	content  []byte
	source   string
}

// Disk is a disk that was laid out.
type Disk struct {
	Size   int64 // bytes
	pieces []piece
}

// folder is a directory under construction.
type folder struct {
	entries []byte
	short   map[string]bool // names that are taken
	long    map[string]bool
	cluster uint32
	count   int // clusters
}

// layout is a file system under construction.
type layout struct {
	label      string
	serial     uint32
	files      []File
	folders    map[string]*folder
	order      []string // folders, each after its parent
	perCluster int64    // bytes
	clusters   int64
	first      []uint32 // cluster of each file
	used       uint32
}

// Plan lays out a disk with these files.
func Plan(label string, serial uint32, files []File) (*Disk, error) {
	l := &layout{label: label, serial: serial, files: slices.Clone(files), folders: map[string]*folder{}}
	slices.SortFunc(l.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	if len(label) > 11 || strings.ToUpper(label) != label {
		return nil, fmt.Errorf("label %q: %w", label, ErrLayout)
	}
	if err := l.names(); err != nil {
		return nil, err
	}
	if err := l.geometry(); err != nil {
		return nil, err
	}
	l.place()
	return l.disk(), nil
}

// names makes the folders and enters every name; clusters are filled in later.
func (l *layout) names() error {
	l.add(".")
	for _, f := range l.files {
		if path.Clean(f.Path) != f.Path || path.IsAbs(f.Path) || strings.HasPrefix(f.Path, "..") {
			return fmt.Errorf("path %q: %w", f.Path, ErrLayout)
		}
		if f.size() > maxFile || f.size() < 0 {
			return fmt.Errorf("%s of %d bytes: %w", f.Path, f.size(), ErrLayout)
		}
		if err := l.parents(path.Dir(f.Path)); err != nil {
			return err
		}
		if err := l.folders[path.Dir(f.Path)].enter(path.Base(f.Path), attrArchive, uint32(f.size())); err != nil {
			return err
		}
	}
	return nil
}

func (l *layout) add(dir string) {
	l.folders[dir] = &folder{short: map[string]bool{}, long: map[string]bool{}}
	l.order = append(l.order, dir)
	if dir == "." {
		l.folders[dir].entries = entry(pad(l.label, 11), attrVolume, 0)
		return
	}
	l.folders[dir].entries = append(entry(pad(".", 11), attrDirectory, 0), entry(pad("..", 11), attrDirectory, 0)...)
}

func (l *layout) parents(dir string) error {
	if l.folders[dir] != nil {
		return nil
	}
	if err := l.parents(path.Dir(dir)); err != nil {
		return err
	}
	l.add(dir)
	return l.folders[path.Dir(dir)].enter(path.Base(dir), attrDirectory, 0)
}

// enter adds a name: in the form 8.3 where it is one, else with a long name.
func (f *folder) enter(name string, attributes byte, size uint32) error {
	key := strings.ToUpper(name)
	if f.long[key] {
		return fmt.Errorf("two names %q: %w", name, ErrLayout)
	}
	f.long[key] = true
	short, plain := shortName(name)
	if !plain {
		units := utf16.Encode([]rune(name))
		if len(units) > 255 || strings.ContainsAny(name, `\/:*?"<>|`) {
			return fmt.Errorf("name %q: %w", name, ErrLayout)
		}
		base, ext := strings.TrimRight(short[:8], " "), short[8:]
		for n := 1; f.short[short]; n++ {
			tail := fmt.Sprintf("~%d", n)
			short = pad(base[:min(len(base), 8-len(tail))]+tail, 8) + ext
		}
		f.entries = append(f.entries, longEntries(units, checksum(short))...)
	}
	if f.short[short] {
		return fmt.Errorf("two names %q: %w", name, ErrLayout)
	}
	f.short[short] = true
	f.entries = append(f.entries, entry(short, attributes, size)...)
	return nil
}

// shortName is a name of eleven characters, and whether it says all of name.
func shortName(name string) (short string, plain bool) {
	base, ext, _ := strings.Cut(name, ".")
	if i := strings.LastIndex(name, "."); i > 0 {
		base, ext = name[:i], name[i+1:]
	}
	keep := func(s string) string {
		return strings.Map(func(c rune) rune {
			switch {
			case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
				return c
			}
			return -1
		}, strings.ToUpper(s))
	}
	b, e := keep(base), keep(ext)
	plain = len(b) <= 8 && len(e) <= 3 && b != "" && (name == b || name == b+"."+e && e != "")
	if !plain {
		b = b[:min(len(b), 6)] + "~1"
	}
	return pad(b[:min(len(b), 8)], 8) + pad(e[:min(len(e), 3)], 3), plain
}

// longEntries are the entries of a long name, the last part first.
func longEntries(units []uint16, sum byte) (out []byte) {
	padded := append(slices.Clone(units), 0)
	for len(padded)%13 != 0 {
		padded = append(padded, 0xffff)
	}
	if len(units)%13 == 0 {
		padded = slices.Clone(units)
	}
	parts := len(padded) / 13
	for n := parts; n >= 1; n-- {
		e := make([]byte, entrySize)
		e[0] = byte(n)
		if n == parts {
			e[0] |= 0x40
		}
		e[11], e[13] = attrLongName, sum
		at := []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}
		for i, u := range padded[(n-1)*13 : n*13] {
			binary.LittleEndian.PutUint16(e[at[i]:], u)
		}
		out = append(out, e...)
	}
	return out
}

func checksum(short string) (sum byte) {
	for _, c := range []byte(short) {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// entry is a directory entry whose cluster is filled in later.
func entry(short string, attributes byte, size uint32) []byte {
	e := make([]byte, entrySize)
	copy(e, short)
	e[11] = attributes
	le := binary.LittleEndian
	if attributes != attrVolume {
		le.PutUint16(e[16:], fixedDate)
		le.PutUint16(e[18:], fixedDate)
	}
	le.PutUint16(e[24:], fixedDate)
	le.PutUint32(e[28:], size)
	return e
}

func pad(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }

// geometry chooses the largest clusters, up to 4 KiB, that make it FAT32.
func (l *layout) geometry() error {
	for size := int64(8 * sector); ; size /= 2 {
		var needed int64
		for _, f := range l.files {
			needed += (f.size() + size - 1) / size
		}
		for _, d := range l.folders {
			d.count = int((int64(len(d.entries)) + size - 1) / size)
			needed += int64(d.count)
		}
		if needed >= minClusters || size == sector {
			l.perCluster, l.clusters = size, max(needed, minClusters)+64 // some room
			break
		}
	}
	if l.clusters > maxClusters || l.total() > 1<<32-1 {
		return fmt.Errorf("%d clusters: %w", l.clusters, ErrLayout)
	}
	return nil
}
